"""What stands in for a secret: as long, well-formed, nobody's, and seen to be one again."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from replay.cassette.redact.pseudonyms import FORM, Pseudonyms, luhn, mod97

KEY = bytes(range(16))
MAKE = Pseudonyms(KEY)
OTHER = Pseudonyms(bytes(16))

CARDS = st.tuples(
    st.sampled_from(["", " ", "-"]), st.integers(0, 10**11 - 1).map(lambda number: f"4111{number:011d}")
).map(lambda found: _with_check_digit(*found))
PHONES = st.sampled_from([b"+49 30 901820 77", b"+14155552671", b"(415) 555-2671", b"415-555-2671", b"+1.415.555.2671"])
IBANS = st.sampled_from([b"DE89370400440532013000", b"GB82 WEST 1234 5698 7654 32", b"NO9386011117947"])
EMAILS = st.from_regex(rb"[a-z][a-z0-9.]{0,30}(@|%40)[a-z]{3,12}\.(com|org)", fullmatch=True)


def _with_check_digit(separator: str, number: str) -> bytes:
    whole = next(f"{number}{digit}" for digit in range(10) if luhn(f"{number}{digit}".encode()))
    return separator.join(re.findall("....", whole)).encode()


@given(st.binary(min_size=4, max_size=600))
def test_a_secret_s_is_as_long(secret: bytes) -> None:
    stands = MAKE.secret(secret)
    assert len(stands) == len(secret)
    assert FORM.fullmatch(stands)
    assert stands == MAKE.secret(secret), "equal stays equal"
    assert MAKE.secret(stands) is stands, "and what stands in for one is none"


@given(
    st.sampled_from([b"sk-", b"sk-proj-", b"sk-ant-api03-", b"ghp_", b"AKIA", b"xoxb-", b"rk_live_"]),
    st.from_regex(rb"[A-Za-z0-9]{12,100}", fullmatch=True),
)
def test_what_all_keys_of_a_provider_begin_with_stays(begins: bytes, rest: bytes) -> None:
    stands = MAKE.secret(begins + rest)
    assert stands.startswith(begins)
    assert len(stands) == len(begins + rest)
    assert rest not in stands
    assert FORM.search(stands)
    assert MAKE.secret(stands) is stands
    assert stands != MAKE.secret(begins + rest + b"x")


@given(st.binary(max_size=3))
def test_that_of_a_short_one_is_as_short_as_can_be(secret: bytes) -> None:
    assert len(MAKE.secret(secret)) == 4


def test_that_of_a_huge_one_isn_t_huge() -> None:
    assert len(MAKE.secret(b"x" * 16384)) == 16384
    assert len(MAKE.secret(b"x" * 16385)) < 30


@given(st.binary(min_size=12, max_size=60), st.binary(min_size=12, max_size=60))
def test_another_key_and_another_secret_make_another(one: bytes, other: bytes) -> None:
    assert (MAKE.secret(one) == MAKE.secret(other)) is (one == other)
    assert MAKE.secret(one + b"0123456789") != OTHER.secret(one + b"0123456789")


@given(EMAILS)
def test_addresses(address: bytes) -> None:
    stands = MAKE.email(address)
    assert FORM.fullmatch(stands)
    assert (b"%40" in stands) is (b"%40" in address)
    assert len(stands) == max(len(address), len(b"0000@r.invalid") + 2 * (b"%40" in address))
    assert stands.replace(b"%40", b"@").split(b"@")[0][:4] == MAKE.email(address.replace(b"%40", b"@"))[:4]


@given(CARDS)
def test_cards_keep_their_shape_and_their_check_digit(card: bytes) -> None:
    stands = MAKE.card(card)
    assert FORM.fullmatch(stands)
    assert re.sub(rb"\d", b"0", stands) == re.sub(rb"\d", b"0", card)
    assert luhn(re.sub(rb"\D", b"", stands))


@given(PHONES)
def test_phones_keep_their_shape(phone: bytes) -> None:
    stands = MAKE.phone(phone)
    assert FORM.fullmatch(stands)
    assert re.sub(rb"\d", b"0", stands) == re.sub(rb"\d", b"0", phone)
    assert stands != phone


@given(IBANS)
def test_ibans_keep_their_shape_and_their_check_digits(iban: bytes) -> None:
    stands = MAKE.iban(iban)
    assert FORM.fullmatch(stands)
    assert [byte == 32 for byte in stands] == [byte == 32 for byte in iban]
    assert mod97(stands.replace(b" ", b"")) == 1


def test_spelled_otherwise_it_is_the_same() -> None:
    assert MAKE.card(b"4111 1111 1111 1111").replace(b" ", b"") == MAKE.card(b"4111111111111111")
    assert MAKE.iban(b"GB82 WEST 1234 5698 7654 32").replace(b" ", b"") == MAKE.iban(b"GB82WEST12345698765432")
