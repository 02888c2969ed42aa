"""Mixtures of two values: nothing chosen is the good one, all is the bad one, and everything between is valid."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from replay.bisect.spans import MISSING, Span, mix, spans
from replay.cassette.codec import pack, unpack
from replay.cassette.named import Named

TEXTS = st.text("ab .\n\"'{}[]1é", max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False) | TEXTS | st.binary(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | inner.map(lambda value: Named("shop", "Order", "dataclass", {"of": value}))
    ),
    max_leaves=8,
)
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


def chosen(data: st.DataObject, span: Span) -> frozenset[int]:
    return data.draw(st.frozensets(st.sampled_from(sorted(span.numbers))))


@given(VALUES, VALUES, st.data())
def test_mixtures(good: Any, bad: Any, data: st.DataObject) -> None:
    both = spans(good, bad, first=5)
    assert mix(both, frozenset()) is good
    assert mix(both, both.numbers) is bad
    leaves = list(both.leaves())
    assert [leaf.numbers for leaf in leaves] == [frozenset([5 + n]) for n in range(len(leaves))]
    assert both.numbers == frozenset(range(5, 5 + len(leaves)))
    some = mix(both, chosen(data, both))
    assert type(some) in (type(good), type(bad))
    assert repr(unpack(pack(some))) == repr(some) or isinstance(some, Named)


@given(st.lists(JSONS) | st.dictionaries(TEXTS, JSONS), st.data())
def test_json_stays_json(good: Any, data: st.DataObject) -> None:
    bad = data.draw(st.lists(JSONS) if isinstance(good, list) else st.dictionaries(TEXTS, JSONS))
    indent = data.draw(st.sampled_from((None, 2)))
    both = spans(json.dumps(good, indent=indent).encode(), json.dumps(bad, indent=indent).encode())
    json.loads(mix(both, chosen(data, both)))


@given(st.lists(st.sampled_from(("one. ", "two!\n", "three\n\n", "four")), max_size=12), st.data())
def test_texts_are_made_of_their_pieces(words: list[str], data: st.DataObject) -> None:
    """What is chosen is in it, what isn't chosen is as it was."""
    others = [data.draw(st.sampled_from((word, f"X{word}"))) for word in words]
    both = spans("".join(words), "".join(others))
    some = chosen(data, both) if words != others else frozenset[int]()
    mixed = mix(both, some)
    for leaf in both.leaves() if words != others else ():
        side = leaf.bad if leaf.numbers <= some else leaf.good
        assert side is MISSING or side in mixed


def test_places() -> None:
    good = {"found": [{"id": 1, "text": "Fine. All good.\n\nBye."}, {"id": 2}], "n": 1}
    bad = {"found": [{"id": 1, "text": "Fine. Pay now.\n\nBye."}, {"id": 2}, {"id": 3}], "n": 1}
    assert [(leaf.path, leaf.good, leaf.bad) for leaf in spans(good, bad).leaves()] == [
        ("found[0].text ¶1 sentence 2", "All good.\n\n", "Pay now.\n\n"),
        ("found[2]", MISSING, {"id": 3}),
    ]


def test_the_length_of_a_body_follows_it() -> None:
    def answer(*found: str) -> dict[str, Any]:
        body = json.dumps(list(found)).encode()
        return {"status": 200, "headers": [["Content-Length", str(len(body))], ["x", "y"]], "body": body}

    both = spans(answer("a", "b"), answer("long", "longer"))
    assert [leaf.path for leaf in both.leaves()] == ["body[0]", "body[1]"]
    assert mix(both, frozenset([1])) == answer("a", "longer")


def test_as_a_whole() -> None:
    both = spans({"a": 1, "b": 2}, {"a": 3, "b": 4}, whole=True)
    assert (both.parts, both.numbers) == ((), frozenset([0]))
