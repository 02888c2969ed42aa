"""The command `replay`. Everything that knows about terminals is here, and nothing else."""
