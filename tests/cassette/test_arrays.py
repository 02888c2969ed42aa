"""numpy's arrays and numbers come back as they were, and executing nothing."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from replay.cassette import arrays
from replay.cassette.codec import pack, unpack
from replay.cassette.named import Named
from replay.cassette.revive import unpack_live
from replay.model.errors import NotStorable

FROZEN = np.arange(3.0)
FROZEN.flags.writeable = False

ARRAYS: list[Any] = [
    np.array([1.5, -0.0, float("inf"), float("nan")], np.float32),
    np.arange(24, dtype=">i4").reshape(2, 3, 4),
    np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    np.arange(20, dtype=np.uint8)[::3],
    np.zeros((0, 3), np.float16),
    np.array(7),
    np.array([True, False]),
    np.array([1 + 2j]),
    np.array(["é", "abc"]),
    np.array([b"x", b"yz"]),
    np.asfortranarray([["a", "b", "c"], ["d", "", "éf"]]),
    np.zeros((0, 2), "U3"),
    np.array([b"a\0b"], "V3"),
    np.array(["2026-01-01T00:00:00.123"], "datetime64[ms]"),
    FROZEN,
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_arrays(array: Any) -> None:
    back = unpack_live(pack({"v": array}))["v"]
    assert type(back) is np.ndarray
    assert (back.dtype.str, back.shape) == (array.dtype.str, array.shape)
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable == array.flags.writeable
    assert back.flags.f_contiguous == array.copy("K").flags.f_contiguous


@pytest.mark.parametrize(
    "number",
    [np.float32(0.1), np.float64(0.1), np.int64(-3), np.bool_(True), np.datetime64("2026-01-01", "D"), np.str_("é")],
)
def test_numbers(number: Any) -> None:
    back = unpack_live(pack([number]))[0]
    assert type(back) is type(number)
    assert back == number
    assert back.dtype.str == number.dtype.str


def test_texts_are_stored_as_texts() -> None:
    """As others are: a secret in the memory of an array would be found by nobody."""
    assert unpack(pack(np.array(["mine", "yours"]))) == Named(
        "", "numpy.ndarray", "codec", ["<U5", [2], "C", True, ["mine", "yours"]]
    )
    assert unpack(pack(np.bytes_(b"mine"))) == Named("", "numpy.generic", "codec", ["|S4", [b"mine"]])


def test_a_numpy_that_is_not_whole_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is imported, or gone: records stay records, and what is called like it isn't it."""
    stored = pack(np.array([1]))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "numpy", None)
        assert isinstance(unpack_live(stored), Named)
        with pytest.raises(NotStorable):
            pack(np.array([1]))
    assert arrays.name_of(type(np.add)) is None


def test_inert_without_numpys_help() -> None:
    assert unpack(pack(np.array([1, 2], np.int16))) == Named(
        "", "numpy.ndarray", "codec", ["<i2", [2], "C", True, b"\x01\x00\x02\x00"]
    )


@pytest.mark.parametrize(
    "array", [np.array([object()]), np.zeros(2, [("a", "i4"), ("b", "f8")]), np.ma.masked_array([1]), np.float64]
)
def test_refused(array: Any) -> None:
    with pytest.raises(NotStorable):
        pack(array)


@pytest.mark.parametrize(
    "state",
    [
        ["|O8", [1], "C", True, b"\0" * 8],
        ["f8,f8", [1], "C", True, b"\0" * 16],
        ["<f8", [10**12], "C", True, b""],
        ["<f8", [-1], "C", True, b""],
        ["<f8"],
        ["<U3", [1], "C", True, b"abc"],
        ["<U3", [1], "C", True, [b"abc", 3]],
        ["<U3", [2], "C", True, ["abc"]],
        {"a": 1},
    ],
)
def test_forged(state: Any) -> None:
    from replay.model.errors import CassetteDamaged

    with pytest.raises(CassetteDamaged):
        unpack_live(pack(Named("", "numpy.ndarray", "codec", state)))
