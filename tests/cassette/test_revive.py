"""Exceptions, and records that don't fit."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.codec import pack, unpack
from replay.cassette.named import Named, Opaque, RemoteError, text_of
from replay.cassette.revive import imported, revive, unpack_live


class Strange(Exception):
    """Takes other arguments than it passes on, and must not be initialised again."""

    def __init__(self, code: int, *, handle: object = None) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.handle = handle


class NoText(Exception):
    def __str__(self) -> str:
        raise RuntimeError("a broken __str__")


class BadBytes(UnicodeDecodeError):
    def __init__(self) -> None:
        super().__init__("utf-8", b"\xff", 0, 1, "bad")
        self.args = ("other",)


def import_error() -> ImportError:
    return ImportError("no", name="thing", path="/x")


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (ValueError("no", 3), ()),
        (KeyError("k"), ()),
        (FileNotFoundError(2, "gone", "a.txt"), ("errno", "strerror", "filename")),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), ("encoding", "object", "start", "reason")),
        (import_error(), ("name", "path", "msg")),
        (StopIteration(4), ("value",)),
        (SystemExit(3), ("code",)),
        (SyntaxError("bad", ("a.py", 3, 1, "x =", 3, 2)), ("filename", "lineno", "text", "end_offset")),
        (NameError("x", name="x"), ("name",)),
        (AttributeError("x", name="y"), ("name",)),
        (Strange(3), ("code", "handle")),
        (TimeoutError(), ()),
    ],
    ids=repr,
)
def test_exceptions_come_back(error: BaseException, attributes: tuple[str, ...]) -> None:
    back = unpack_live(pack(error))
    assert type(back) is type(error)
    assert (back.args, str(back)) == (error.args, str(error))
    assert [getattr(back, name) for name in attributes] == [getattr(error, name) for name in attributes]


def test_a_subclass_that_lies_about_its_arguments() -> None:
    back = unpack_live(pack(BadBytes()))
    assert (back.args, back.object, back.reason) == (("other",), b"\xff", "bad")


def test_groups_causes_and_notes() -> None:
    error = ExceptionGroup("two", [ValueError(1), Strange(2)])
    error.__cause__ = KeyError("x")
    error.add_note("seen")
    back = unpack_live(pack(error))
    assert [type(inner) for inner in back.exceptions] == [ValueError, Strange]
    assert (type(back.__cause__), back.__notes__) == (KeyError, ["seen"])
    quiet = ValueError()
    quiet.__suppress_context__ = True
    assert unpack_live(pack(quiet)).__suppress_context__


def test_what_an_exception_holds_may_be_unstorable() -> None:
    error = Strange(3, handle=object())
    error.args = ([object()], {"k": 1}, len)
    back = unpack_live(pack(error))
    assert back.code == 3
    assert repr(back.handle) == "<builtins.object, not recorded>"
    assert isinstance(back.args[0], Opaque)
    assert back.args[1] == {"k": 1}


def test_a_ring_of_causes_ends() -> None:
    one, two = ValueError(1), ValueError(2)
    one.__cause__, two.__cause__ = two, one
    back = unpack_live(pack(one))
    assert back.__cause__.__cause__.args == (1,)


def test_an_exception_that_cannot_be_printed() -> None:
    assert text_of(unpack(pack(NoText()))) == ""
    assert text_of(Named("a", "B", "exception", None)) == ""


@pytest.mark.parametrize(
    "named", [("no.such.module", "Lost"), ("builtins", "Lost"), ("builtins", "len"), ("builtins", "int")]
)
def test_an_exception_whose_class_is_not_here(named: tuple[str, str]) -> None:
    recorded = Named(*named, "exception", {"args": (1,), "text": "gone"})
    error = revive(recorded)
    assert isinstance(error, RemoteError)
    assert error.recorded == recorded
    name = ".".join(named)
    assert str(error) == f"{name}: gone (recorded; {name} is not imported here)"


@pytest.mark.parametrize(
    "named",
    [
        Named("builtins", "int", "enum", ["A", 1]),
        Named("builtins", "int", "dataclass", {}),
        Named("builtins", "int", "namedtuple", {}),
        Named("builtins", "int", "pydantic", {}),
        Named("builtins", "int", "subclass", ["text", {}, None]),
        Named("builtins", "memoryview", "subclass", ["text", {}, None]),
        Named("enum", "Enum", "enum", ["A", 1]),
        Named("no.such", "Thing", "dataclass", {}),
        Named(__name__, "Strange.missing", "dataclass", {}),
    ],
    ids=repr,
)
def test_a_record_that_does_not_fit_stays_one(named: Named) -> None:
    assert revive(named) == named
    assert unpack_live(pack(named)) == named


def test_nothing_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trap_module.py").write_text("class Thing: pass")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    record = Named("trap_module", "Thing", "dataclass", {})
    assert revive(record) == record
    assert imported("trap_module", "Thing") is None
    assert "trap_module" not in sys.modules


def test_a_lazy_module_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def trap(name: str) -> Any:
        raise AssertionError(name)

    monkeypatch.setattr(sys.modules[__name__], "__getattr__", trap, raising=False)
    assert imported(__name__, "Lost") is None


def test_inert_records() -> None:
    one = Named("shop", "Order", "dataclass", {"id": 7})
    assert repr(one) == "Named('shop', 'Order', 'dataclass', {'id': 7})"
    assert one.type_name == "shop.Order"
    assert len({one, Named("shop", "Order", "dataclass", {"id": 7})}) == 1
    same: Callable[[object], bool] = one.__eq__
    assert same(7) is NotImplemented


def test_what_stays_a_record_is_told() -> None:
    missing = Named("gone.module", "Order", "dataclass", {"number": 7})
    raised = Named("gone.module", "Sold", "exception", {"args": (missing,), "text": "sold"})
    there = unpack(pack(ValueError("no")))
    told: list[Named] = []
    made = revive([there, {"order": (missing, {1: raised})}, 3], told)
    assert isinstance(made[0], ValueError)
    assert isinstance(made[1]["order"][1][1], RemoteError)
    assert told == [missing, missing, raised], "innermost first, each where it stands"
    assert revive({"order": missing}) == {"order": missing}, "nobody needs to listen"
