"""How an event describes the process it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

from replay.boundary.lanes import nobody


def program_of(args: Any) -> str:
    """What a command is called in events: the name of its first word.

    Example:
        >>> program_of(["/usr/bin/git", "log"]), program_of("ls -l | wc")
        ('git', 'ls')
    """
    if isinstance(args, (list, tuple)):
        words = cast("Sequence[Any]", args)
        first = _text(words[0]) if words else ""
    else:
        first = _text(args).strip().partition(" ")[0]
    return os.path.basename(first) or first


def described(args: Any, cwd: Any, env: Mapping[Any, Any] | None) -> dict[str, Any]:
    """{"args": words or a command line, "cwd"?, "env"?: the variables that differ from this process's own}."""
    words: Any = [_text(word) for word in args] if isinstance(args, (list, tuple)) else _text(args)  # pyright: ignore[reportUnknownVariableType]
    found: dict[str, Any] = {"args": words}
    if cwd is not None:
        found["cwd"] = _text(cwd)
    if env is not None:
        with nobody():  # the program gave these; it hasn't read ours
            own = dict(os.environ)
        given = {_text(name): _text(value) for name, value in env.items()}
        found["env"] = {name: value for name, value in sorted(given.items()) if own.get(name) != value}
    return found


def _text(word: Any) -> str:
    try:
        return os.fsdecode(word)
    except TypeError:
        return repr(word)  # the real function is going to say so
