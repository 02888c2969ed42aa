"""Packed values and bodies without their secrets, however deep, and bodies whose beginning was searched before."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay.cassette import _msgpack as msgpack
from replay.cassette.codec import pack, unpack
from replay.cassette.delta import rebuild
from replay.cassette.redact.bodies import Body, changed, redacted
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


def test_what_a_command_is_given_as_its_password() -> None:
    command = ["psql", "--user", "me", "--password", PASSWORD, "-secret", "--next", "--api-key", "a" * 15, "-password"]
    safe = _safe([*command])
    assert [one for one, other in zip(command, safe, strict=True) if one != other] == [PASSWORD, "a" * 15]
    values = _values()
    values.packed(pack(command))
    assert PASSWORD.encode() not in values.packed(pack(f"they said: {command}")), "it is looked for from then on"


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


def _changes(texts: Texts, before: bytes, after: bytes) -> Body:
    """The second body, told by the first: as it would be alone, and rebuilt from the difference that is stored."""
    base = redacted(texts, before)
    found, delta = changed(texts, after, base, 7)
    assert found == redacted(texts, after)
    assert found.safe == (found.safe if delta is None else rebuild(base.safe, [delta]))
    return found


@given(PARTS, PARTS, PARTS, PARTS)
def test_what_is_new_is_searched_as_the_whole_would_be(head: bytes, old: bytes, new: bytes, tail: bytes) -> None:
    texts = Texts(Pseudonyms(bytes(16)))
    found = _changes(texts, head + old + tail, head + new + tail)
    once_more, delta = changed(texts, found.raw + b" and bob@example.org", found, 8)
    assert once_more == redacted(texts, once_more.raw)
    assert delta is None or rebuild(found.safe, [delta]) == once_more.safe


LONG = b"0Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx"
LED = [
    b'say {"client_password":  "hunter22", "x": 1} to them',
    b"Authorization: Bearer " + LONG + b" and so on",
    b"SERVICE_TOKEN = " + LONG + b"; next",
    b"see https://me:private@db.example.org/x?page=1&access_token=" + LONG + b" there",
    b"pay DE89 3704 0044 0532 0130 00 or 4111 1111 1111 1111 or call +49 30 901820 77 soon",
    b'{\\"api_key\\":   \\"' + LONG + b'\\"}',
    "päss bob@example.com ünd".encode(),
    b"-----BEGIN RSA PRIVATE KEY-----\n" + (LONG + b"\n") * 40 + b"-----END RSA PRIVATE KEY----- end",
]


@given(st.sampled_from(LED), st.integers(0, 2000), st.integers(0, 2000), st.sampled_from([b"", WORDS]))
@example(LED[-1], 700, 701, b"")
@example(LED[-1], 20, 30, WORDS)
def test_a_secret_that_a_border_cuts_is_found(text: bytes, one: int, other: int, around: bytes) -> None:
    """Whatever of it was there before, and whatever is taken away."""
    start, end = sorted((one % (len(text) + 1), other % (len(text) + 1)))
    whole = around + text + around
    cut = around + text[:start] + text[end:] + around
    texts = Texts(Pseudonyms(bytes(16)))
    _changes(texts, cut, whole)
    _changes(texts, whole, cut)


def test_a_history_that_grows() -> None:
    texts = Texts(Pseudonyms(bytes(16)))
    body = b'{"messages": ['
    last: Body | None = None
    for number in range(12):
        body += b'"%s bob%d@example.com", ' % (WORDS[: 100 * number], number)
        now = body + b"]}"
        found = redacted(texts, now) if last is None else changed(texts, now, last, 0)[0]
        assert found == redacted(texts, now)
        assert b"example" not in found.safe
        last = found


def test_a_border_within_a_secret_lies_before_or_behind_it() -> None:
    """What a finding reaches from is searched again: no border of it cuts what was replaced before."""
    texts = Texts(Pseudonyms(bytes(16)))
    secret = b" bob@example.com "
    for head, tail in ((REACH - 8, 0), (REACH + 8, 0), (0, REACH - 8), (0, REACH + 8), (REACH - 8, REACH - 8)):
        before = b"plum " + secret + b"-" * head + b"old" + b"-" * tail + secret + b"plum"
        after = b"plum " + secret + b"-" * head + b"new!" + b"-" * tail + secret + b"plum"
        _changes(texts, before, after)


def test_with_rules_of_the_user_s_all_of_it_is_searched() -> None:
    """They may look at the whole: a path in JSON is nothing in a part."""

    def own(text: str) -> list[str]:
        return ["plum"] if text.endswith("!") else []

    texts = Texts(Pseudonyms(bytes(16)), rules=[Rule("own", own)])
    base = redacted(texts, b"plum " + WORDS)
    assert base.safe == base.raw
    grown = base.raw + b"!"
    found, delta = changed(texts, grown, base, 1)
    assert b"plum" not in found.safe
    assert delta is not None
    assert rebuild(base.safe, [delta]) == found.safe


def test_stand_ins_are_seen_as_such() -> None:
    texts = Texts(Pseudonyms(bytes(16)))
    body = redacted(texts, b"to bob@example.com")
    assert FORM.search(body.safe)
    assert redacted(texts, body.safe).edges == []
