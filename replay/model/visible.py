"""Recorded content is written by strangers: nothing of it may reach the terminal as anything but visible text.

Shown escaped: control characters (C0, DEL, C1: cursor movement, colours, titles, clipboard), bidirectional overrides
and isolates (text that reads otherwise than it is), zero-width and tag characters (text that isn't seen), lone
surrogates (they can't be encoded). Markup of rich is never parsed: its consoles are
made by `replay_cli.console` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def _escaped(match: re.Match[str]) -> str:
    # ascii() names each the way Python source would: \x1b, \u202e, \n
    return ascii(match.group())[1:-1]


def one_line(text: str, width: int | None = None) -> str:
    """`text` made visible on one line; cut to `width` characters, marked with an ellipsis.

    >>> one_line("hi\\x1b[2J\\nthere")
    'hi\\\\x1b[2J\\\\nthere'
    """
    if width is not None:
        text = text[: width + 1]  # each character becomes one or more: no need to look further
    safe = UNSAFE.sub(_escaped, text)
    if width is not None and len(safe) > width:
        return safe[: max(width - 1, 0)] + "…"
    return safe


def pieces(text: str) -> Iterator[tuple[str, bool]]:
    """`text` with its line breaks and tabs, in pieces: what is text, and what was made visible (True).

    >>> list(pieces("a\\x00b"))
    [('a', False), ('\\\\x00', True), ('b', False)]
    """
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n")):
        if number:
            yield "\n", False
        done = 0
        for match in UNSAFE.finditer(line):
            if match.group() != "\t":
                if match.start() > done:
                    yield line[done : match.start()], False
                yield _escaped(match), True
                done = match.end()
        if done < len(line):
            yield line[done:], False


def block(text: str) -> str:
    """`text` made visible, its line breaks and tabs kept."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(UNSAFE.sub(_escaped, line.expandtabs(4)) for line in lines)


def plural(count: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def size(count: int) -> str:
    """`120 B`, `1.5 kB`, `3.2 MB`."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
