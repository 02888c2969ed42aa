"""Values: the closed set comes back equal and of the same types; anything else is refused with its place."""

from __future__ import annotations

import copy
import enum
import threading
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from replay.cassette.codec import pack, unpack
from replay.cassette.named import Named
from replay.cassette.objects import register_codec
from replay.cassette.revive import revive, unpack_live
from replay.model.errors import CassetteDamaged, NotStorable, UsageError

TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.binary(max_size=20)
    | st.dates() | st.datetimes() | st.times() | st.timedeltas() | st.uuids() | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.timezones()) | st.datetimes(timezones=st.just(timezone(timedelta(hours=-3, seconds=7),
"X"))) )  # fmt: skip
KEYS = st.one_of(SCALARS, st.tuples(SCALARS))
VALUES = st.recursive(
    SCALARS | st.sets(SCALARS, max_size=4) | st.frozensets(SCALARS, max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


class Color(enum.Enum):
    RED = "r"


class Level(enum.IntEnum):
    HIGH = 3


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Order:
    id: int
    more: Any = None
    hidden: int = field(default=1, init=False, repr=False)


@dataclass(frozen=True, slots=True)
class Key:
    id: int


class Point(NamedTuple):
    x: int
    y: Any


class Model(BaseModel):
    a: int
    b: list[int] = []


class Text(str):  # noqa: SLOT000  its __dict__ is what the test is about
    label: str


class Numbers(list[int]):
    pass


class Sneaky(dict[str, int]):
    def items(self) -> Any:
        raise AssertionError("a method of the user's was called")


@given(VALUES)
def test_round_trip(value: object) -> None:
    back = unpack(pack(value))
    assert back == value
    assert pack(back) == pack(value)
    assert revive(back) == value


@given(VALUES)
def test_equal_values_give_equal_bytes(value: object) -> None:
    assert pack(copy.deepcopy(value)) == pack(value)


@given(st.lists(TEXT, max_size=6))
def test_sets_have_no_order(items: list[str]) -> None:
    backwards = items[::-1]
    assert pack(set(items)) == pack(set(backwards))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_damaged(data: bytes) -> None:
    try:
        value = unpack(data)
    except CassetteDamaged:
        return
    revive(value)


@given(VALUES, st.data())
def test_any_altered_bytes_are_a_value_or_damaged(value: object, draw: st.DataObject) -> None:
    data = bytearray(pack([Order(1, value), Color.RED, ValueError(value)]))
    data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        unpack_live(bytes(data))
    except CassetteDamaged:
        pass


text = Text("x")
text.label = "seen"
LIVE: list[Any] = [
    Color.RED, Level.HIGH, Access.READ, Access.READ | Access.WRITE, Access(0), Order(1, Order(2)), Key(1), Point(1,
    [2]), Model(a=1, b=[2]), text, Numbers([1]), OrderedDict(b=1, a=2), Counter("abca"), defaultdict(list, {"k": [1]}),
    defaultdict(None, {"k": 1}), {Key(1): "frozen dataclasses are keys"}, {Color.RED}, frozenset({Point(1, 2)}),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))), Decimal("1.10"),
]  # fmt: skip


@pytest.mark.parametrize("value", LIVE, ids=repr)
def test_objects_come_back_of_their_class(value: Any) -> None:
    for back in (unpack_live(pack(value)), revive(unpack(pack(value)))):
        assert type(back) is type(value)
        assert back == value
        assert repr(back) == repr(value)
        assert getattr(back, "__dict__", None) == getattr(value, "__dict__", None)


@pytest.mark.parametrize("value", [float("nan"), Decimal("NaN"), Decimal("sNaN")])
def test_nan(value: Any) -> None:
    assert repr(unpack(pack(value))) == repr(value)


def test_a_default_factory_works_again() -> None:
    assert unpack_live(pack(defaultdict[str, int](int)))["new"] == 0


def test_a_pydantic_model_knows_which_fields_were_set() -> None:
    assert unpack_live(pack(Model(a=1))).model_fields_set == {"a"}


def test_methods_of_subclasses_are_not_called() -> None:
    assert list(dict[str, int].items(unpack_live(pack(Sneaky(a=1))))) == [("a", 1)]


def test_bytearrays_and_views_come_back_as_bytes() -> None:
    assert unpack(pack([bytearray(b"a"), memoryview(b"b")])) == [b"a", b"b"]


class Sidereal(tzinfo):
    """A timezone of another library."""

    def utcoffset(self, dt: datetime | None, /) -> timedelta | None:
        return None if dt is None else timedelta(hours=2)

    def tzname(self, dt: datetime | None, /) -> str:
        return "SID"

    def dst(self, dt: datetime | None, /) -> None:
        return None


def test_another_timezone_becomes_a_fixed_offset() -> None:
    back = unpack(pack(datetime(2026, 1, 1, tzinfo=Sidereal())))
    assert back.tzinfo == timezone(timedelta(hours=2))
    assert back.tzname() == "SID"
    with pytest.raises(NotStorable, match="Sidereal"):
        pack(time(1, tzinfo=Sidereal()))


def test_a_zone_this_machine_does_not_know_becomes_its_offset() -> None:
    moment = pack(datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")))
    assert unpack(moment.replace(b"Europe/Berlin", b"Europe/Ghosts")).utcoffset() == timedelta(hours=1)
    bare = pack(time(1, tzinfo=ZoneInfo("Europe/Berlin")))
    assert unpack(bare).tzinfo == ZoneInfo("Europe/Berlin")
    assert unpack(bare.replace(b"Europe/Berlin", b"Europe/Ghosts")).tzinfo is None


REFUSED: list[tuple[Any, str, str]] = [
    (object(), "value", "builtins.object"),
    ({"items": [1, 2, (3, object())]}, "value['items'][2][1]", "builtins.object"),
    ({"items": Order(1, {"k": object()})}, "value['items'].more['k']", "builtins.object"),
    ([Point(1, object())], "value[0].y", "builtins.object"),
    ({(1, len): 2}, "value key (1, <built-in function len>)[1]", "builtins.builtin_function_or_method"),
    ([{Key}], f"value[0]{{{Key!r:.40}}}", "builtins.type"),
    (Model.model_construct(a=object()), "value.a", "builtins.object"),
    (defaultdict(lambda: 1), "value", "function"),
    (1j, "value", "builtins.complex"),
    (range(3), "value", "builtins.range"),
]


@pytest.mark.parametrize(("value", "where", "type_name"), REFUSED, ids=[place for _, place, _ in REFUSED])
def test_what_is_not_storable_is_named_with_its_place(value: object, where: str, type_name: str) -> None:
    with pytest.raises(NotStorable) as caught:
        pack(value)
    assert (caught.value.where, caught.value.type_name) == (where, type_name)


def ring() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def ring_of_tuples() -> list[Any]:
    items: list[Any] = []
    items.append((items,))
    return items


def tower(levels: int, inside: int) -> Any:
    """Tuples in each other, with lists between them: deep enough to overflow the C stack."""
    value: Any = []
    for _ in range(levels):
        for _ in range(inside):
            value = [value]
        value = (value,)
    return value


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"k": value}
    return value


@pytest.mark.parametrize(
    "value", [ring(), ring_of_tuples(), nested(5000), tower(31, 1000), tower(40, 1)], ids=lambda _: ""
)
def test_cycles_and_towers_are_refused_and_not_followed(value: object) -> None:
    with pytest.raises(NotStorable, match=r"cycle|deep"):
        pack(value)
    assert unpack(pack([1])) == [1]


@pytest.mark.parametrize("value", [nested(1000), tower(11, 900), tower(30, 3)], ids=lambda _: "")
def test_deep_is_fine(value: object) -> None:
    assert pack(unpack(pack(value))) == pack(value)  # bytes, because == itself is not fine with it


def test_deep_bytes_are_damaged() -> None:
    for deep in (b"\x91" * 5000 + b"\xc0", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"):
        with pytest.raises(CassetteDamaged):
            unpack(deep)
    packed = b"\xc0"
    for _ in range(40):
        packed = b"\x91" + packed
        packed = b"\xc9" + len(packed).to_bytes(4, "big") + b"\x01" + packed
    with pytest.raises(CassetteDamaged, match="deeper"):
        unpack(packed)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xc0\xc0", b"\xd4\x7f\x90", b"\xd4\x01\xc0", b"\x81\x90\xc0", b"\xd4\x09x", b"\xd4\x0ax",
        b"\xd4\x0b\x90", b"\xd4\x02\x90\x00", b"\xc7\x05\x0b\x92\xa1X\xa1y", b"\xc7\x05\x10\x94\xc0\xc0\xc0\xc0",
        b"\xc7\x05\x20\x94\xc0\xc0\xc0\xc0",
    ],
    ids=repr,
)  # fmt: skip
def test_bytes_that_are_no_value_are_damaged(data: bytes) -> None:
    with pytest.raises(CassetteDamaged):
        unpack(data)


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


class Coin(Money):
    pass


def cents(money: Money) -> int:
    return money.cents


@pytest.fixture
def codec() -> None:
    register_codec(Money, encode=cents, decode=Money, name="money")


@pytest.mark.usefixtures("codec")
def test_a_registered_codec() -> None:
    inert = unpack(pack([Money(7)]))
    assert inert == [Named("", "money", "codec", 7)]
    assert revive(inert)[0].cents == 7
    with pytest.raises(NotStorable):
        pack(Coin(7))
    with pytest.raises(UsageError, match="another class"):
        register_codec(Coin, encode=cents, decode=Coin, name="money")
    register_codec(Money, encode=cents, decode=Money, name="money")


def test_a_codec_that_is_not_registered_stays_inert() -> None:
    lost = Named("", "nowhere", "codec", 7)
    assert unpack_live(pack(lost)) == lost


@pytest.mark.usefixtures("codec")
def test_a_codec_may_pack_values_itself() -> None:
    class Twice:
        pass

    register_codec(Twice, encode=lambda _: (pack((1, 2)), (3,)), decode=lambda _: None, name=f"twice {id(Twice)}")
    (raw, rest) = unpack(pack([(Twice(),)]))[0][0].state
    assert (unpack(raw), rest) == ((1, 2), (3,))


class Stubborn:
    pass


def refuse(_: object) -> Any:
    raise OSError("no")


def pass_on(_: object) -> Any:
    return pack(object())


@pytest.mark.parametrize(("encode", "why"), [(refuse, "OSError: no"), (pass_on, r"builtins\.object")])
def test_a_codec_that_fails_makes_the_value_unstorable(encode: Any, why: str) -> None:
    register_codec(Stubborn, encode=encode, decode=refuse, name=f"stubborn {encode.__name__}")
    with pytest.raises(NotStorable, match=why):
        pack([Stubborn()])


def test_threads_do_not_disturb_each_other() -> None:
    value = [(number, {number}) for number in range(300)]
    wanted = pack(value)
    seen: list[bytes] = []
    threads = [threading.Thread(target=lambda: seen.extend(pack(value) for _ in range(20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {wanted}
    assert len(seen) == 80


def test_a_huge_value_leaves_no_huge_buffer_behind() -> None:
    assert unpack(pack(b"x" * (3 << 20))) == b"x" * (3 << 20)
    assert unpack(pack(date(2026, 1, 1))) == date(2026, 1, 1)
