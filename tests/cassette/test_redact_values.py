"""Packed values and bodies without their secrets, however deep, and bodies whose beginning was searched before."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette import _msgpack as msgpack
from replay.cassette.codec import pack, unpack
from replay.cassette.redact.bodies import Body, redacted
from replay.cassette.redact.detectors import REACH
from replay.cassette.redact.messages import Redactor
from replay.cassette.redact.pseudonyms import FORM, Pseudonyms
from replay.cassette.redact.texts import Rule, Texts
from replay.cassette.redact.values import Values

CANARY = "ghp_cAnArY5555aaaaBBBBccccDDDDeeee000011"
PASSWORD = "hunter twenty"


def _values() -> Values:
    return Values(Texts(Pseudonyms(bytes(16))))


def _safe(value: Any) -> Any:
    packed = _values().packed(pack(value))
    assert CANARY.encode() not in packed
    return unpack(packed)


HIDDEN: list[Any] = [
    CANARY,
    f"a {CANARY} in a text",
    CANARY.encode(),
    [1, CANARY],
    ("a", CANARY),
    {"a": {"b": [CANARY]}},
    {CANARY: 1},
    {("a", CANARY): 1},
    {1, CANARY},
    frozenset({CANARY, "b", "c"}),
    OrderedDict(a=CANARY),
    [[[[(CANARY,)]]]],
    {"a": b"x " * 150 + CANARY.encode()},
    bytearray(CANARY.encode()),
]


@pytest.mark.parametrize("value", HIDDEN, ids=lambda value: type(value).__name__)
def test_wherever_it_stands(value: Any) -> None:
    safe = _safe(value)
    assert "<redacted:" in repr(safe)


@pytest.mark.parametrize("value", HIDDEN, ids=lambda value: type(value).__name__)
def test_what_has_none_beside_one_stays_as_it_is(value: Any) -> None:
    others = [None, True, 1.5, "plain", b"plain", (1, 2), {"a": [3]}, {4, 5}]
    assert _safe([*others, value])[:-1] == others


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_twice_is_once(value: Any) -> None:
    once = _values().packed(pack(value))
    assert _values().packed(once) == once


def test_without_secrets_nothing_is_unpacked() -> None:
    packed = pack({"a": "plain", "phone-like": "12"})
    assert _values().packed(packed) is packed
    suspicious = pack({"text": "sk-learn with-a-rather-long-name-of-something"})
    assert _values().packed(suspicious) is suspicious


def test_fields_with_a_secret_s_name() -> None:
    assert PASSWORD not in repr(_safe({"password": PASSWORD, "a": 1}))
    assert PASSWORD not in repr(_safe({"db_password": PASSWORD}))
    assert "hunter20hunter20" not in repr(_safe({"accessToken": "hunter20hunter20"}))
    others = {"password": "abc", "secret": 5, "passwords": PASSWORD, "api_key": "hunter"}
    assert _safe(others) == others


def test_a_header_keeps_where_the_program_is() -> None:
    redactor = Redactor(bytes(16))
    path = f"/home/{CANARY}/agent.py"
    header = {"cwd": path, "entry": {"file": path, "args": [CANARY]}, "argv": ["python", path], "id": CANARY}
    safe = unpack(redactor.head(pack(header)))
    assert safe["cwd"] == safe["entry"]["file"] == path
    assert safe["id"] == CANARY
    assert CANARY not in repr([safe["argv"], safe["entry"]["args"]])
    plain = pack({"cwd": "/home", "argv": ["x"]})
    assert redactor.head(plain) is plain
    assert redactor.text(f"by {CANARY}") != f"by {CANARY}"


def test_packing() -> None:
    pack_safely = Redactor(bytes(16)).packing(pack)
    assert CANARY.encode() not in pack_safely([CANARY])
    assert pack_safely(["plain"]) == pack(["plain"])


def test_other_extensions_stay() -> None:
    odd = msgpack.plain([msgpack.ext(0x70, CANARY.encode()), CANARY])
    assert CANARY.encode() in _values().packed(odd)[:60], "nobody but who made it knows what it means"


# Bodies.

WORDS = b"words of no meaning at all, " * 400
"""Longer than any finding."""
SECRETS = st.sampled_from(
    [CANARY.encode(), b"bob@example.com", b"4111 1111 1111 1111", b'{"password": "hunter22"}', b"x@y.de", b""]
)
PARTS = st.lists(st.one_of(SECRETS, st.sampled_from([WORDS, b" ", b"a"])), max_size=8).map(b" ".join)


def _common(one: bytes, other: bytes) -> tuple[int, int]:
    most = min(len(one), len(other))
    prefix = next((at for at in range(most) if one[at] != other[at]), most)
    most -= prefix
    suffix = next((at for at in range(most) if one[-1 - at] != other[-1 - at]), most)
    return prefix, suffix


@given(PARTS, PARTS, PARTS, PARTS, st.data())
def test_what_is_new_is_searched_as_the_whole_would_be(
    head: bytes, old: bytes, new: bytes, tail: bytes, data: st.DataObject
) -> None:
    before, after = head + old + tail, head + new + tail
    prefix, suffix = _common(before, after)
    prefix = data.draw(st.integers(0, prefix))
    suffix = data.draw(st.integers(0, min(suffix, min(len(before), len(after)) - prefix)))
    texts = Texts(Pseudonyms(bytes(16)))
    base = redacted(texts, before)
    found = redacted(texts, after, base, prefix, suffix)
    assert found == redacted(texts, after)
    once_more = redacted(texts, after + b" and bob@example.org", found, len(after), 0)
    assert once_more == redacted(texts, after + b" and bob@example.org")


def test_a_history_that_grows() -> None:
    texts = Texts(Pseudonyms(bytes(16)))
    body = b'{"messages": ['
    last: Body | None = None
    for number in range(12):
        grown = body + b'"%s bob%d@example.com", ' % (WORDS[: 100 * number], number)
        now = grown + b"]}"
        last = redacted(texts, now, last, 0 if last is None else len(body), 2 if last else 0)
        assert last == redacted(texts, now)
        assert b"example" not in last.safe
        body = grown


def test_a_border_within_a_secret_lies_before_or_behind_it() -> None:
    """What a finding reaches from is searched again: no border of it cuts what was replaced before."""
    texts = Texts(Pseudonyms(bytes(16)))
    secret = b" bob@example.com "
    for head, tail in ((REACH - 8, 0), (REACH + 8, 0), (0, REACH - 8), (0, REACH + 8), (REACH - 8, REACH - 8)):
        before = b"plum " + secret + b"-" * head + b"old" + b"-" * tail + secret + b"plum"
        after = b"plum " + secret + b"-" * head + b"new!" + b"-" * tail + secret + b"plum"
        base = redacted(texts, before)
        prefix, suffix = _common(before, after)
        assert redacted(texts, after, base, prefix, suffix) == redacted(texts, after)


def test_with_rules_of_the_user_s_all_of_it_is_searched() -> None:
    """They may look at the whole: a path in JSON is nothing in a part."""

    def own(text: str) -> list[str]:
        return ["plum"] if text.endswith("!") else []

    texts = Texts(Pseudonyms(bytes(16)), rules=[Rule("own", own)])
    base = redacted(texts, b"plum " + WORDS)
    assert base.safe == base.raw
    grown = base.raw + b"!"
    assert b"plum" not in redacted(texts, grown, base, len(base.raw), 0).safe


def test_stand_ins_are_seen_as_such() -> None:
    texts = Texts(Pseudonyms(bytes(16)))
    body = redacted(texts, b"to bob@example.com")
    assert FORM.search(body.safe)
    assert redacted(texts, body.safe).edges == []
