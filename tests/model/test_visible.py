"""Nothing that a stranger wrote into a recording steers the reader's terminal."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from replay.model.visible import block, one_line, pieces, plural, size

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()))  # lone surrogates too


@given(ANYTHING)
def test_one_line_is_one_line_of_visible_characters(text: str) -> None:
    shown = one_line(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in shown)


@given(ANYTHING, st.integers(1, 50))
def test_one_line_keeps_to_its_width(text: str, width: int) -> None:
    assert len(one_line(text, width)) <= width


@given(ANYTHING)
def test_block_keeps_line_breaks_and_nothing_else(text: str) -> None:
    shown = block(text)
    assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in shown.replace("\n", ""))


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs"))))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert one_line(text) == text


def test_what_attackers_use_becomes_visible() -> None:
    assert one_line("a\x1b[2J\x1b]52;c;aGk=\x07") == "a\\x1b[2J\\x1b]52;c;aGk=\\x07"
    assert one_line("\u202eevil\u2066") == "\\u202eevil\\u2066"
    assert one_line("zero\u200bwidth") == "zero\\u200bwidth"
    assert one_line("hidden\U000e0041") == "hidden\\U000e0041"
    assert one_line("\x9b31m") == "\\x9b31m"
    assert one_line("\udc80") == "\\udc80"
    assert block("a\r\nb\tc") == "a\nb   c"


def test_counts_and_sizes() -> None:
    assert [plural(count, "event") for count in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert [size(count) for count in (0, 999, 1000, 1549, 3_249_999)] == ["0 B", "999 B", "1.0 kB", "1.5 kB", "3.2 MB"]


def test_pieces_tell_what_was_made_visible() -> None:
    found = list(pieces("a\tb\x00c\r\n\x1b"))
    assert found == [("a\tb", False), ("\\x00", True), ("c", False), ("\n", False), ("\\x1b", True)]
    assert list(pieces("")) == []


@given(ANYTHING)
def test_pieces_are_all_of_it(text: str) -> None:
    shown = "".join(piece for piece, _ in pieces(text))
    assert not any(
        unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in shown.replace("\n", "").replace("\t", "")
    )
    assert shown.count("\n") == text.count("\n")
