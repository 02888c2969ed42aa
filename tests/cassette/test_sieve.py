"""That one pass in C before the detectors changes nothing but the time: what it stops has nothing in it."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replay.cassette._msgpack import plain
from replay.cassette.redact import sieve as sieves
from replay.cassette.redact.detectors import PATTERNS
from replay.cassette.redact.messages import Redactor
from replay.cassette.redact.pseudonyms import Pseudonyms
from replay.cassette.redact.sieve import Sieve
from replay.cassette.redact.texts import Texts
from tests.cassette.test_detectors import NONE, SECRETS

NEVER = sys.maxsize
FAST = Sieve(PATTERNS, after=0)
SLOW = Sieve(PATTERNS, after=NEVER)
EXAMPLES = [(name, form.format(secret)) for name, each in SECRETS.items() for form, secret in each]
WHOLE = [text for _, text in EXAMPLES]
NAMES = ["password", "db-secret", "API_KEY", "accessToken", "user_access_token", "token", "\u017fecret", "api_\u212aey"]


def packed(sieve: Sieve, value: Any) -> bytes:
    """What is written of a value."""
    texts = Texts(Pseudonyms(bytes(16)), sieve=sieve)
    return Redactor(b"", texts=texts).packing(plain)(value)


def changed(text: str, at: int, put: str) -> str:
    return text[:at] + put + text[at + 1 :]


def part(text: str, one: int, other: int) -> str:
    return text[min(one, other) : max(one, other)]


def joined(words: list[str], by: str) -> str:
    return by.join(words)


def cut(text: str) -> st.SearchStrategy[str]:
    """Parts of it, and with a letter changed."""
    places = st.integers(0, len(text))
    just = st.just(text)
    return st.one_of(st.builds(part, just, places, places), st.builds(changed, just, places, st.text(max_size=2)))


WORDS: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(WHOLE + NONE),
    st.sampled_from(WHOLE).flatmap(cut),
    st.text("kKsSeEyY_-=:\"'\\ tToOn@.+&?/0123456789", max_size=40),
    st.text(max_size=20),
)
JOINTS = st.sampled_from(["", " ", '"'])
TEXTS: st.SearchStrategy[str] = st.builds(joined, st.lists(WORDS, max_size=5), JOINTS)
VALUES: st.SearchStrategy[Any] = st.recursive(
    TEXTS | st.integers(0, 1 << 40) | st.none() | st.binary(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | TEXTS, inner, max_size=4),
    max_leaves=8,
)


@given(VALUES)
@example({"password": "1234", "\u017fecret": "1234", "x": "sk-" + "0" * 20})
@example("&access_token=p\U00045000ivate#part")  # with a byte that is blank to some
@example(["4111111111111111" + " " * 30, "x" * 46])
def test_what_is_written_is_the_same_with_it_and_without(value: Any) -> None:
    assert packed(FAST, value) == packed(SLOW, value)


@given(TEXTS)
def test_who_finds_something_is_named(text: str) -> None:
    who = FAST.who(text.encode())
    assert who is not None
    assert {found.detector for found in Texts(Pseudonyms(bytes(16)), sieve=SLOW).findings(text.encode())} <= {*who}


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_secrets_are_seen_wherever_they_stand(name: str, text: str) -> None:
    for value in (text, [0, text, 64], {"x": [text]}, "x" * 5000 + " " + text):
        assert name in (FAST.who(plain(value)) or ())


def test_most_texts_have_nothing() -> None:
    prose = b"a token of the secret key is passed on; see multiprocessing.connection.Connection, disk-cached"
    assert FAST.who(prose) == frozenset()
    assert SLOW.who(prose) is None


def test_it_is_built_when_as_much_was_looked_at_without() -> None:
    sieve = Sieve({"an x": [b"x"]}, after=10)
    assert [sieve.who(b"12345") for _ in range(3)] == [None, None, frozenset()]
    assert sieve.who(b"x") == {"an x"}


def test_it_is_built_when_it_is_asked_for() -> None:
    sieve = Sieve({"an x": [b"x"]})
    sieve.prepare()
    sieve.prepare()
    assert sieve.who(b"1") == frozenset()


def test_without_hyperscan_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    sieve = Sieve({"an x": [b"x"]}, after=0)
    assert sieve.who(b"1") is None
    assert sieve.who(b"2") is None


def test_of_more_than_can_be_counted_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sieves, "_MOST", 4)
    assert FAST.who(b"123") == frozenset()
    assert FAST.who(b"1234") is None


def test_threads_have_room_of_their_own() -> None:
    texts = [b"nothing " * 20_000 + (b"sk-0123456789abcdef" if number % 3 == 0 else b"") for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(FAST.who, texts))
    assert found == [{"openai"} if number % 3 == 0 else frozenset() for number in range(60)]
