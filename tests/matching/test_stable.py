"""What is taken out of texts before digests are made of them: what is new in every run, and nothing else."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.matching.stable import MARK, stable

HEX = st.text("0123456789abcdef", min_size=16, max_size=40).filter(lambda text: any(c.isdigit() for c in text[:4]))
DRAWN = st.one_of(
    st.uuids(version=4).map(str),
    st.integers(1_400_000_000, 1_999_999_999).map(str),
    st.integers(1_400_000_000_000, 1_999_999_999_999).map(str),
    st.datetimes().map(lambda at: at.replace(year=2026).isoformat(timespec="seconds")),
    st.text("abcdefghkXYZ0123456789", min_size=20, max_size=28).filter(str.isalnum).map(lambda text: f"call_{text}7"),
    HEX,
)
PROSE = st.lists(st.sampled_from(["refund", "order", "A-1043", "30", "days", "12345678", "it's", "3.5", "x_1"])).map(
    " ".join
)


@given(PROSE, DRAWN, DRAWN, PROSE)
def test_what_was_drawn_is_no_difference(before: str, one: str, other: str, behind: str) -> None:
    a, b = (f'{before} "{each}" {behind}'.encode() for each in (one, other))
    prefix = (b"call" if each.startswith("call") else b"" for each in (one, other))
    assert stable(a).replace(b'"%b' % next(prefix), b'"') == stable(b).replace(b'"%b' % next(prefix), b'"')


@given(PROSE)
def test_prose_and_numbers_stay(text: str) -> None:
    assert stable(text.encode()) == text.encode()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("deadbeef-abcd-4bcd-8bcd-abcdefabcdef", b"\xff"),
        ("deadbee1-abcd-4bcd-8bcd-abcdefabcdef!", b"\xff!"),
        ("at 10:30 PM", b"at \xff PM"),
        ("0.123456789012", b"\xff"),
        ("<Thing at 0x7f3c9a8b1c>", b"<Thing at \xff>"),
        ("/tmp/tmpab12/notes.txt", b"\xff/notes.txt"),
        ("/var/folders/x1/T/notes.txt", b"\xff.txt"),
        ("chatcmpl-8f7a6b5c4d3e2f1a", b"chatcmpl\xff"),
        ("order 12345678, call_me_maybe", b"order 12345678, call_me_maybe"),
        ("3:4:5", b"3:4:5"),
        ("version 10.123456789", b"version 10.123456789"),
    ],
)
def test_shapes(text: str, left: bytes) -> None:
    assert stable(text.encode()) == left


def test_binary_data_is_left_alone() -> None:
    data = MARK + uuid.uuid4().hex.encode()
    assert stable(data) == data
