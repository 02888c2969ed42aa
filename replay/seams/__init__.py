"""Seams: one module for each library whose crossings become requests to the door.

`Seam`, `Target` and `patch` are what other packages make theirs of (docs/plugins.md).
"""

from replay.seams._seam import Seam, Target, patch

__all__ = ["Seam", "Target", "patch"]
