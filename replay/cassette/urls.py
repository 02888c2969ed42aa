"""Cassettes away from this machine have URLs. Pure."""

from __future__ import annotations

import os
import re
from typing import Final

_URL: Final = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)


def url_of(name: str | os.PathLike[str]) -> str | None:
    """The URL that `name` is, also where it went through a `Path`, which takes slashes away; None: it is none."""
    found = _URL.fullmatch(os.fspath(name))
    if found is None:
        return None
    scheme, rest = found.groups()
    return f"file:///{rest}" if scheme == "file" else f"{scheme}://{rest}"
