"""Seams: one module for each library whose crossings become requests to the door."""
