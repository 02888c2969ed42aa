"""What several sections have: links to events, badges, times, a section's frame."""

from __future__ import annotations

import re
from typing import Final

from replay.report.incident import Incident
from replay.report.markup import Child, Html, h, ours, said

KINDS: Final = (
    "answer agent clock code connection db entropy entry env file gap grpc http llm mcp memory operator order output "
    "process system tool unknown user assistant developer model"
).split()

_WORDS: Final = (
    "does what the|'s text says, which is (?:un)?trusted|'s text says|, and the user didn't ask for it|is what the|"
    "asked for(?= |$)|it tells its reader to do something, which nothing did|stands in nothing it had read|"
    "the program's code called|, and no model was seen to ask for it; the user gave|"
    ", and no model was seen to ask for it;|came from data|"
    "nobody's words account for|the words and values of|stand in what it had read|"
    "was done before with the same arguments|"
    "(?<=came from data), and it was let through|gave the values of|says that it reads; inside|writes$|^inside|"
    "^the (?=user|system)"
)
_ROLES: Final = (
    "(?<=^the |the )(?:user|system|developer)(?= asked| gave|$)|(?<=does what the )(?:{})(?='s text)".format(
        "|".join(KINDS)
    )
)
_SENTENCES: Final = re.compile(rf" ?(?:{_WORDS}) ?|{_ROLES}")


def at(event: int | None, words: str = "event") -> Html:
    """A link to an event's row."""
    return Html() if event is None else h("a", f"{words} {event}".strip(), href=f"#e{event}", cls="at")


def badge(words: str, look: str = "plain") -> Html:
    """A word set apart."""
    return h("span", words, cls=f"badge {look}")


def kind(name: str) -> Html:
    """A kind of event; one that we don't know is recorded text."""
    return h("span", name, cls="kind") if name in KINDS else said(name, 24)


def relative(found: Incident, text: str) -> str:
    """A path below the directory that the program ran in, without that."""
    where = found.cassette.header.get("cwd")
    return text.removeprefix(f"{where}/") if isinstance(where, str) and where else text


def seconds(microseconds: int) -> str:
    """Since the recording began."""
    return f"{microseconds / 1e6:.3f} s"


def section(key: str, heading: str, *children: Child, lead: Child = None) -> Html:
    """A section, which the contents name. `lead`: what it says, in a sentence."""
    return h(
        "section", h("h2", heading, id=f"{key}-heading"), None if lead is None else h("p", lead, cls="lead"), children,
        id=key, aria_labelledby=f"{key}-heading",
    )  # fmt: skip


def table(caption: str, heads: tuple[str, ...], rows: list[Html]) -> Html:
    """A table that scrolls by itself where it is too wide."""
    head = h("thead", h("tr", [h("th", each, scope="col") for each in heads]))
    whole = h("table", h("caption", caption), head, h("tbody", rows))
    return h("div", whole, cls="scroll", tabindex=0, role="group", aria_label=caption)


def sentence(text: str) -> Html:
    """What triage says, with the names in it set as recorded."""
    return ours(text, _SENTENCES)
