"""The family of errors: what, remedy, slug."""

from __future__ import annotations

import pytest

from replay.model import errors
from replay.model.errors import (
    CassetteDamaged,
    CassetteMissing,
    ExpressionInvalid,
    NotStorable,
    ReplayError,
    UsageError,
)
from replay.model.event import KINDS, Event, Site

FAMILY = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ReplayError)]


def test_the_base_is_not_raised() -> None:
    with pytest.raises(TypeError, match="member of the family"):
        ReplayError("x")


def test_what_remedy_slug() -> None:
    assert str(CassetteMissing("no such cassette", hint="look around")) == (
        "no such cassette (look around) [cassette-missing]"
    )
    assert str(UsageError("wrong")) == "wrong [usage]"
    assert CassetteMissing("gone").what == "gone"


def test_slugs_are_different_and_exit_codes_known() -> None:
    slugs = [kind.slug for kind in FAMILY]
    assert len(set(slugs)) == len(slugs)
    assert {kind.exit_code for kind in FAMILY} == {125, 129}
    assert UsageError.exit_code == 129


def test_damage_says_where_and_what_is_good() -> None:
    error = CassetteDamaged("broken", offset=77, good_events=5, hint="recover")
    assert (error.offset, error.good_events, error.hint) == (77, 5, "recover")


def test_not_storable_names_the_codec_to_write() -> None:
    error = NotStorable("shop.models.Cart", "result['cart']")
    assert (error.type_name, error.where) == ("shop.models.Cart", "result['cart']")
    assert str(error).startswith("result['cart'] is a shop.models.Cart, which a cassette can't store")
    assert "replay.codec(Cart, encode=" in error.hint
    assert NotStorable("x.Y", hint="do that").hint == "do that"


def test_events_are_frozen_and_sites_readable() -> None:
    site = Site("agent.py", 7, "main")
    event = Event(0, "tool", "add", "read", "m", 5, 1, site, None, None, "done")
    assert str(site) == "agent.py:7"
    assert (event.kind in KINDS, event.meta, event.pieces) == (True, {}, ())
    with pytest.raises(AttributeError):
        event.id = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_wrong_expression_shows_its_place() -> None:
    error = ExpressionInvalid("no such word", "exit ==\n0 " + "x" * 200, 8)
    assert str(error) == "column 9: no such word [expression-invalid]"
    shown, caret = error.excerpt
    assert (shown[:10], len(shown), caret) == ("exit == 0 ", 48, " " * 8 + "^")
    assert ExpressionInvalid("far", "y" * 300, 200).excerpt == ("y" * 100, " " * 60 + "^")
