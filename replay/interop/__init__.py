"""Recordings of others become cassettes."""
