"""HTML out of Python, by which nothing gets into a page unescaped, and what was recorded can't pass for what we say.

    h("p", "Called ", said(event.name), ".")        # our words as text, recorded ones by `said` and `quote`

Text is escaped wherever it comes from; `Html` is made here only. What was recorded stands in elements of class `rec`,
which the page sets apart, is isolated from the direction of the text around it, and has its control characters shown.
No address in it becomes a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from replay.model.visible import pieces

LONG: Final = 1500
"""Characters of recorded text that are quoted at once."""

NAME: Final = 160
"""Characters of one in a line."""

_VOID: Final = frozenset({"meta", "br", "input", "path", "line", "rect", "circle"})
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_SPECIAL: Final = re.compile("[&<>\"']")


class Html(str):
    """Markup."""

    __slots__ = ()


Child: TypeAlias = "str | Html | int | Iterable[Child] | None"
Mark: TypeAlias = tuple[int, int, str]
"""From where to where in a text, and which class says why."""


def escape(text: str) -> Html:
    """Text as it stands in an element or an attribute. What no page can hold is made visible.

    Example:
        >>> escape("<b title='x'>")
        '&lt;b title=&#39;x&#39;&gt;'
    """
    return Html(_SPECIAL.sub(lambda found: _ESCAPES[found[0]], "".join(piece for piece, _ in pieces(text))))


def h(name: str, /, *children: Child, **attributes: str | int | bool | None) -> Html:
    """An element. `cls` is `class`; `_` in a name stands for `-`; None and False leave an attribute out.

    Example:
        >>> h("p", "a < b", cls="x")
        '<p class="x">a &lt; b</p>'
    """
    said_ = "".join(
        f" {_name(key)}" if value is True else f' {_name(key)}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _VOID:
        return Html(f"<{name}{said_}>" if name in ("meta", "br", "input") else f"<{name}{said_}/>")
    return Html(f"<{name}{said_}>{join(children)}</{name}>")


def _name(key: str) -> str:
    return "class" if key == "cls" else key.rstrip("_").replace("_", "-") if key != "viewBox" else key


def join(children: Child) -> Html:
    """Children one after another."""
    if children is None:
        return Html()
    if isinstance(children, Html):
        return children
    if isinstance(children, (str, int)):
        return escape(str(children))
    return Html("".join(map(join, children)))


def said(text: object, limit: int = NAME, *, tag: str = "bdi") -> Html:
    """Recorded text in a line of ours."""
    whole = str(text)
    cut = len(whole) > limit
    return h(tag, _shown(whole[:limit].replace("\n", "\\n"), ()), "…" if cut else None, cls="rec")


def quote(text: str, marks: Sequence[Mark] = (), *, limit: int = LONG, more: str = "") -> Html:
    """Recorded text in a block of its own, with its line breaks. `marks`: what to point out, apart from one another.

    Args:
        limit: so many characters are shown; of a longer text also what stands around the marks.
        more: where the rest can be seen, in our words.
    """
    text = text.rstrip("\n")
    if not text:
        return h("p", "(empty)", cls="none")
    shown: list[Html] = []
    at = 0
    for start, end in _windows(len(text), marks, limit):
        if start > at:
            shown.append(_left(start - at))
        inside = [(a - start, b - start, why) for a, b, why in marks if start <= a and b <= end]
        shown.append(_shown(text[start:end], inside))
        at = end
    rest = None
    if at < len(text):
        shown.append(_left(len(text) - at))
        rest = h("figcaption", f"{len(text):,} characters in all{more}.")
    block = h("blockquote", h("pre", shown, dir="auto"), cls="rec")
    return block if rest is None else h("figure", block, rest)


def _left(count: int) -> Html:
    return h("span", f"… {count:,} characters left out …", cls="left")


def _windows(length: int, marks: Sequence[Mark], limit: int) -> list[tuple[int, int]]:
    """The parts that are shown: the beginning, and what stands around each mark."""
    if length <= limit:
        return [(0, length)]
    around = limit // 4
    wanted = [(0, limit), *((max(a - around, 0), min(max(b, a) + around, length)) for a, b, _ in marks[:6])]
    found: list[tuple[int, int]] = []
    for start, end in sorted(wanted):
        if found and start <= found[-1][1] + 40:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def _shown(text: str, marks: Sequence[Mark]) -> Html:
    found: list[Html] = []
    at = 0
    for start, end, why in sorted(marks):
        if start >= at and end > start:
            found += [_visible(text[at:start]), h("mark", _visible(text[start:end]), cls=why)]
            at = end
    return join([*found, _visible(text[at:])])


def _visible(text: str) -> Html:
    return join(h("span", piece, cls="esc") if escaped else escape(piece) for piece, escaped in pieces(text))


def ours(text: str, phrases: re.Pattern[str]) -> Html:
    """A sentence in which names that were recorded stand: only what `phrases` knows is set as our words."""
    found: list[Html] = []
    at = 0
    for match in phrases.finditer(text):
        found += [said(text[at : match.start()])] if match.start() > at else []
        found.append(escape(match[0]))
        at = match.end()
    return join([*found, said(text[at:])] if at < len(text) else found)


def flat(marks: Sequence[Mark]) -> list[Mark]:
    """Marks apart from one another: where two overlap the first given one stands.

    Example:
        >>> flat([(2, 4, "value"), (0, 6, "told")])
        [(0, 2, 'told'), (2, 4, 'value'), (4, 6, 'told')]
    """
    edges = sorted({edge for start, end, _ in marks for edge in (start, end)})
    found: list[Mark] = []
    for start, end in pairwise(edges):
        why = next((each for a, b, each in marks if a <= start and end <= b), None)
        if why is not None and found and found[-1][1] == start and found[-1][2] == why:
            found[-1] = found[-1][0], end, why
        elif why is not None:
            found.append((start, end, why))
    return found
