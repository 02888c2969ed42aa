"""`replay doctor`: what would be captured here, and which lines of a program read something that isn't."""
