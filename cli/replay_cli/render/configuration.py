"""`docs/configuration.md`, out of the table of options.

python -m replay_cli.render.configuration >docs/configuration.md
"""

from __future__ import annotations

import sys
from typing import Any

from replay.options import TABLE

_HEAD = """# Configuration

Every option of recording has a name. What holds is, in this order:

1. what the command line (`replay record --keep on-failure`) or the call (`replay.record(keep="on-failure")`,
   `@replay.entrypoint(…)`, `replay.asgi(app, …)`) says,
2. its environment variable,
3. its key below `[tool.replay]` of the nearest `pyproject.toml`, from the working directory upward (`-` or `_`),
4. its default.

A value that can't be read, and a key that isn't an option, are errors that name it: `[usage]`, exit code 129. Paths are
relative to the working directory.

    [tool.replay]
    directory = "/var/lib/agent/replay"
    sample = 0.01
    keep = "on-failure"
    tags = { env = "prod", team = "payments" }

| option | variable | flag of `replay record` | value | default | |
|---|---|---|---|---|---|
"""

_TAIL = """
What a program that is already running records can be asked for: `replay.stats()`. An application that begins with
`REPLAY=off` runs as if its entry points and middleware weren't there.
"""


def page() -> str:
    """The page."""
    rows = (
        f"| `{option.name}` | `{option.variable}` | {_code(option.flag)} | {option.form} | {_default(option.default)} "
        f"| {option.help} |\n"
        for option in TABLE
    )
    return _HEAD + "".join(rows) + _TAIL


def _code(text: str | None) -> str:
    return "" if text is None else f"`{text}`"


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value in (None, {}, ()):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.stdout.write(page())
