"""Seams by library."""
def install(blind):
    pass
