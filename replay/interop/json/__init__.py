"""Cassettes as JSON, frame by frame, and back without a loss."""
