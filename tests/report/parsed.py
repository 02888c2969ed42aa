"""A page taken apart by an HTML parser: elements with their attributes and texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "br", "input"})


@dataclass
class Element:
    """One element, and what stands in it, in order."""

    name: str
    attributes: dict[str, str | None]
    above: Element | None
    parts: list[str | Element] = field(default_factory=list["str | Element"])

    @property
    def text(self) -> str:
        """What stands in it directly."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def inner(self) -> list[Element]:
        return [part for part in self.parts if isinstance(part, Element)]

    @property
    def classes(self) -> set[str]:
        return set((self.attributes.get("class") or "").split())

    def within(self, name: str) -> bool:
        """Whether it, or what it is in, has that class."""
        return name in self.classes or (self.above is not None and self.above.within(name))

    def all(self) -> list[Element]:
        return [self, *(each for inner in self.inner for each in inner.all())]

    def whole(self) -> str:
        """Its text and that of what is in it."""
        return "".join(part if isinstance(part, str) else part.whole() for part in self.parts)


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = self.now = Element("", {}, None)
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, dict(attrs), self.now)
        self.now.parts.append(made)
        if tag not in _VOID:
            self.now = made

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.now.parts.append(Element(tag, dict(attrs), self.now))

    def handle_endtag(self, tag: str) -> None:
        if self.now.name != tag or self.now.above is None:
            self.wrong.append(tag)
        else:
            self.now = self.now.above

    def handle_data(self, data: str) -> None:
        self.now.parts.append(data)

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"<!--{data}")


def parsed(document: str) -> Element:
    """The root of a page, in which every element is closed where it should be, and nothing is a comment."""
    parser = _Parser()
    parser.feed(document)
    parser.close()
    assert parser.wrong == []
    assert parser.now is parser.root
    return parser.root
