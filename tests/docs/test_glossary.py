"""docs/glossary.md has the words that commands and headings use, and sends nobody nowhere."""

from __future__ import annotations

import re

import pytest

from replay_cli.render.manual import commands
from tests.docs.walkthrough import ROOT, pages

PAGE = (ROOT / "docs" / "glossary.md").read_text("utf-8")
ROWS = re.findall(r"^\| \[(.+?)\]\((.+?)\) \| (.+) \|$", PAGE, re.MULTILINE)
TERMS = {term for term, _, _ in ROWS}

# What is ours, if it stands in a heading or in a help text.
FIELD = set(
    """agent baseline blind_spot call_site cassette child corpus crossing deviation dialect divergence door draw drift
    effect entry_point escape event expectation flight_recorder fork gap hole intervention lane memory owner policy
    provenance recording redaction replay sandbox seam slug stand-in tag track transcript trial triage verdict
    window""".split()
)


def test_terms_are_in_order_and_once() -> None:
    names = [term for term, _, _ in ROWS]
    assert len(names) == len(set(names)) > 40
    assert names == sorted(names)


def test_each_has_one_sentence() -> None:
    for term, _, said in ROWS:
        assert len(said) > 15, term
        assert not re.search(r"[^.]\. [A-Z]", said), f"{term}: one sentence"


@pytest.mark.parametrize("term", sorted(FIELD))
def test_words_of_help_and_headings(term: str) -> None:
    words = term.replace("_", " ")
    helps = "\n".join(command.get_help(context) for _, command, context in commands())
    headings = "\n".join(re.findall(r"^#+ .*$", "\n".join(page.read_text("utf-8") for page in pages()), re.MULTILINE))
    used = re.search(rf"\b{words}(s|es)?\b", re.sub(r"\s+", " ", helps + headings), re.IGNORECASE)
    assert words in TERMS or not used


def test_links_lead_to_a_page_or_to_a_heading() -> None:
    for term, target, _ in ROWS:
        file, _, anchor = target.partition("#")
        text = (ROOT / "docs" / file).read_text("utf-8")
        slugs = {
            re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-")
            for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        }
        assert not anchor or anchor in slugs, f"{term}: {target}"
