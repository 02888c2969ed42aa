"""Recorded events in words: plain strings, not yet made safe for a terminal or a page."""
