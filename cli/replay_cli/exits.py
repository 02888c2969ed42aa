"""Exit codes: a promise to `git bisect run` and CI. `record` alone passes the program's own code through."""

from typing import Final

SAME: Final = 0
"""Same, holds, nothing found, done."""

DIFFERENT: Final = 1
"""Different, diverged, violated, tampered."""

CANNOT_JUDGE: Final = 125
"""Unreadable, incomplete where completeness matters, environment missing. `git bisect run` skips on it."""

USAGE: Final = 129
"""Wrong usage; what git itself exits with."""

INTERRUPTED: Final = 130
"""Ctrl-C, as shells report it."""

PIPE_CLOSED: Final = 141
"""The reader of our output went away (`replay show … | head`), as shells report it."""
