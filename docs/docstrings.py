"""What stands under `Example:` in a docstring is code, on the site, too: an extension of griffe (see mkdocs.yml)."""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^( *)Example:\n((?:\1 +.*(?:\n|$)|\n(?=\1 ))+)", re.MULTILINE)


class Examples(griffe.Extension):
    """Fences them."""

    def on_object(self, *, obj: griffe.Object, **_kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = _EXAMPLE.sub(_fenced, obj.docstring.value)


def _fenced(found: re.Match[str]) -> str:
    margin = found[1] + "    "
    return f"{found[1]}Example:\n{margin}```python\n{found[2].rstrip()}\n{margin}```\n"
