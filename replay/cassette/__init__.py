"""Cassettes as bytes: frames, values, writing, sealing, reading, verifying. Knows nothing of seams, doors or players."""
