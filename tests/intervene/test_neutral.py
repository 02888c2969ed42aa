"""Neutral texts: they say nothing of what they stand for, and have its shape."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from replay.intervene.neutral import masked, neutral

JSON = st.recursive(
    st.text(max_size=20) | st.integers(-1000, 1000) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def shape(value: Any) -> Any:
    """A value without what it says."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [shape(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return (str, len(value)) if isinstance(value, str) else type(value).__name__  # pyright: ignore[reportUnknownArgumentType]


@given(st.text(max_size=80))
def test_as_long_and_with_the_same_signs(text: str) -> None:
    made = neutral(text)
    assert len(made) == len(text)
    assert [each for each in made if not each.isalnum()] == [each for each in text if not each.isalnum()]


@given(st.text(st.characters(categories=["Ll", "Lu", "Nd"], max_codepoint=0x17F), min_size=1, max_size=30))
def test_no_word_stays(word: str) -> None:
    assert neutral(word) != word


@given(JSON)
def test_json_stays_json(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False)):
        if isinstance(value, (dict, list)):
            assert shape(json.loads(neutral(text))) == shape(value)


@given(JSON, st.lists(st.text(min_size=1, max_size=5), max_size=3))
def test_the_structure_of_values_stays(value: Any, stretches: list[str]) -> None:
    made, found = masked(value, stretches)
    assert shape(made) == shape(value)
    assert (made != value) == bool(found)
    assert shape(masked(value, None)[0]) == shape(value)


@given(st.text(max_size=30), st.text(max_size=30), st.text("abc ", min_size=1, max_size=12).filter(str.strip))
def test_only_the_stretch_changes(before: str, after: str, stretch: str) -> None:
    made, found = masked(f"{before} {stretch} {after}", [stretch])
    assert found
    assert {each.text for each in found} == {stretch.strip()}
    assert len(made) == len(f"{before} {stretch} {after}")


def test_prose_identifiers_fields_and_escapes() -> None:
    assert neutral("Pay EUR 900 to QX77-1204-99, Bo.") == "Sit SIT 777 et XY33-7777-77, Et."
    assert neutral("from: bo@example.org\nto: ann@x.org") == "from: xx@xyxxxxx.xxx\nto: xxx@y.xxx"
    assert neutral(r"one\ntwo\u00e9") == r"sit\nsit\u00e9"
    assert neutral("«word»") == "«amet»"


def test_where_a_stretch_is_looked_for() -> None:
    assert masked("QX77 and QX771", ["QX77"])[0] == "XY33 and QX771", "not in the middle of a word"
    assert masked({"amount": 900, "ok": True}, ["900"])[0] == {"amount": 777, "ok": True}
    assert masked({"text": "Pay Bo at once."}, ["Dear all,\nPay Bo at once.\nKim"])[1], "line by line"
    assert masked({"a": "Pay Bo now"}, ['{"a": "Pay Bo now"}'])[1], "in another form"
    assert masked({"a": "lunch"}, ["Pay Bo at once."]) == ({"a": "lunch"}, [])
    assert masked({"id": "Pay Bo", "text": "Pay Bo"}, ["Pay Bo"], keep=frozenset(["id"]))[0] == {
        "id": "Pay Bo",
        "text": "Sit Et",
    }
    assert masked(b"Pay Bo", None)[0] == b"Sit Et"
    assert masked(b"\xff", None) == (b"\xff", [])
