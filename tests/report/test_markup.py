"""Nothing gets into a page unescaped, and what was recorded is set apart: for any text."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from replay.model.visible import block, pieces
from replay.report.markup import Html, Mark, escape, flat, h, join, ours, quote, said
from replay.report.parts import sentence
from tests.report.parsed import parsed
from tests.support.hostile import PAYLOADS

TEXTS = st.one_of(st.text(), st.sampled_from(sorted(PAYLOADS.values())), st.text("<>&\"'-!/\x00\n\t\u202e\ud800ab"))
SPANS = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: (min(pair), max(pair)))
MARKS = st.lists(st.tuples(SPANS, st.sampled_from("ab")).map(lambda one: (*one[0], one[1])), max_size=6)


def visible(text: str) -> str:
    return "".join(piece for piece, _ in pieces(text))


@given(TEXTS)
def test_text_comes_back_as_it_was_made_visible(text: str) -> None:
    root = parsed(h("p", text, title=text))
    assert root.inner[0].text == root.inner[0].attributes["title"] == visible(text)


@given(TEXTS)
def test_pieces_are_what_a_block_is(text: str) -> None:
    flattened = text.replace("\t", " ")
    assert visible(flattened) == block(flattened)
    assert all(piece.isascii() for piece, escaped in pieces(text) if escaped)


@given(TEXTS, MARKS)
def test_a_quote_says_all_of_the_text_in_one_block(text: str, marks: list[Mark]) -> None:
    whole = parsed(quote(text, flat(marks), limit=10_000))
    if text.rstrip("\n"):
        assert whole.inner[0].name == "blockquote"
        assert whole.whole() == visible(text.rstrip("\n"))
        assert all(each.within("rec") for each in whole.all() if each.text)


@given(st.integers(1, 4000), st.integers(0, 4000), st.integers(1, 300))
def test_a_long_quote_shows_what_is_marked_and_says_how_much_it_leaves_out(size: int, at: int, limit: int) -> None:
    text = "".join(chr(0x4E00 + n % 5000) for n in range(size))
    at = min(at, size - 1)
    whole = parsed(quote(text, [(at, at + 1, "told")], limit=limit))
    left = sum(int(each.replace(",", "")) for each in re.findall(r"… ([\d,]+) characters left out …", whole.whole()))
    shown = len(re.findall("[\u4e00-\u9fff]", whole.whole()))
    assert shown + left == size
    assert text[at] in next(each for each in whole.all() if each.name == "mark").whole()


@given(MARKS)
def test_marks_are_apart_and_cover_what_they_covered(marks: list[Mark]) -> None:
    found = flat(marks)
    assert all(a[1] <= b[0] for a, b in pairwise(found))
    assert {n for a, b, _ in found for n in range(a, b)} == {n for a, b, _ in marks for n in range(a, b)}
    assert flat(found) == found


def test_a_value_stands_out_of_the_request_it_is_in() -> None:
    assert flat([(4, 6, "value"), (0, 9, "told")]) == [(0, 4, "told"), (4, 6, "value"), (6, 9, "told")]


@given(TEXTS, st.integers(1, 30))
def test_recorded_text_in_a_line_is_isolated_and_cut(text: str, limit: int) -> None:
    found = parsed(said(text, limit)).inner[0]
    assert (found.name, found.classes) == ("bdi", {"rec"})
    assert "\n" not in found.whole()
    assert found.whole().endswith("…") or len(text) <= limit


@given(TEXTS, TEXTS)
def test_only_known_phrases_are_our_words(before: str, after: str) -> None:
    known = re.compile("was done before")
    root = parsed(ours(f"{before}was done before{after}", known))
    assert known.sub("", root.text) == ""
    assert visible(before.replace("\n", "\\n")[:160]) in root.whole()


def test_what_triage_says_is_ours_but_for_the_names() -> None:
    root = parsed(sentence("Verdict: none does what the memory's text says, and the user didn't ask for it"))
    assert root.text == " does what the memory's text says, and the user didn't ask for it"
    assert [each.whole() for each in root.inner] == ["Verdict: none"]
    for said_ in (
        "the words and values of x stand in what it had read",
        "the user asked for x; y came from data, and it was let through",
        "the program's code called x, and no model was seen to ask for it; y came from data",
    ):
        assert "x" not in parsed(sentence(said_)).text
        assert parsed(sentence(said_)).text.strip().startswith("the ")


def test_children_are_put_together() -> None:
    made = h("p", "a<", [h("b", 1), None, ["c"]], cls="x", hidden=True, title=None, aria_label="y")
    assert made == '<p class="x" hidden aria-label="y">a&lt;<b>1</b>c</p>'
    assert h("br") == "<br>"
    assert join(None) == ""
    assert isinstance(escape("x"), Html)
    assert escape("<&>\"'") == "&lt;&amp;&gt;&quot;&#39;"
