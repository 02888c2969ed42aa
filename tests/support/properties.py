"""How examples of properties are run: for as long as they take, since no test is one of speed."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("replay", deadline=None)
settings.load_profile("replay")
