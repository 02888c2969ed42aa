"""The user's own rules: paths, headers, patterns, functions; detectors switched off; what isn't a rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.codec import pack, unpack
from replay.cassette.redact import Redactor, Rules
from replay.cassette.redact.rules import at_paths, rules
from replay.model.errors import UsageError


def _safe(table: dict[str, Any], value: Any) -> str:
    packed = Redactor(bytes(16), Rules.of(table)).packing(pack)(value)
    return repr(unpack(packed))


def test_none() -> None:
    assert rules(None) == Rules()


def test_headers() -> None:
    redactor = Redactor(bytes(16), rules({"headers": ["X-Tenant"]}))
    assert redactor.header("x-tenant", "blue") != "blue"
    assert redactor.header("x-other", "blue") == "blue"
    assert redactor.header("Authorization", "blue") != "blue", "those that were known, too"


@pytest.mark.parametrize("name", ["phone", "email"])
def test_detectors_switched_off(name: str) -> None:
    said = _safe({"off": name}, ["(415) 555-2671", "bob@example.com"])
    assert ("(415)" in said, "bob" in said) == (name == "phone", name == "email")


def test_patterns() -> None:
    table = {"regex": {"order": "ORD-[0-9]+", "pin": "pin (?P<s>[0-9]{4})", "odd": "x(?P<s>y)?z"}}
    said = _safe(table, {"a": "ORD-17 and pin 1234", "b": ["xz"]})
    assert "ORD" not in said
    assert "1234" not in said
    assert "pin <~" in said
    assert "xz" in said


@pytest.mark.parametrize("path", ["customer.name", "$.orders.*.customer.name", "*.name"])
def test_paths_in_values_and_in_json(path: str) -> None:
    order = {"customer": {"name": "Zoë Quick", "id": 7}, "other": "Zoë Slow"}
    said = _safe({"json": [path]}, {"orders": [order], "text": json.dumps({"orders": [order]}), "pair": (1, order)})
    assert "Quick" not in said
    assert "Slow" in said
    plain = _safe({"json": [path]}, {"text": json.dumps({"orders": [order]}, ensure_ascii=False)})
    assert "Quick" not in plain


def test_what_a_path_led_to_is_a_secret_elsewhere() -> None:
    redactor = Redactor(bytes(16), Rules.of({"json": ["name"]}))
    pack_safely = redactor.packing(pack)
    pack_safely({"name": "Zoe Quick"})
    assert "Quick" not in repr(unpack(pack_safely(["it is for Zoe Quick"])))


@pytest.mark.parametrize("text", ["{broken", "[" * 100_000, "no json"])
def test_what_is_no_json_has_no_paths(text: str) -> None:
    assert _safe({"json": ["name"]}, text) == repr(text)


def test_steps() -> None:
    value = {"a": [{"b": "x", "c": 1}, {"b": "y"}], "b": "z"}
    assert list(at_paths(value, [("a", "1", "b")])) == ["y"]
    assert list(at_paths(value, [("b",)])) == ["x", "y", "z"]
    assert list(at_paths("text", [("b",)])) == []


def test_functions(tmp_path: Path) -> None:
    def plums(text: str) -> list[str]:
        return ["plum", ""] if "plum" in text else []

    def fails(text: str) -> list[str]:
        raise ValueError(text)

    assert "plum" not in _safe({"call": [plums]}, "a plum tree")
    assert "apple" not in _safe({"call": fails}, "an apple tree"), "nothing gets past one that fails"
    (tmp_path / "mine.py").write_text("def pears(text):\n    return ['pear'] if 'pear' in text else []\n")
    (tmp_path / "rules.toml").write_text("off = ['phone']\ncall = 'mine.py:pears'\n")
    loaded = rules(tmp_path / "rules.toml")
    assert loaded.off == {"phone"}
    assert b"pear" not in Redactor(bytes(16), loaded).body(b"a pear tree").safe


def test_a_function_that_a_package_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "orchard-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: orchard\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[replay.redactors]\nquinces = orchard_of_a_test:quinces\n")
    source = "def quinces(text):\n    return ['quince'] if 'quince' in text else []\n"
    (tmp_path / "orchard_of_a_test.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType]
    assert "quince" not in _safe({"call": "quinces"}, "a quince tree")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"of": []}, "unknown key 'of'"),
        ({"off": ["fone"]}, "no detector 'fone'"),
        ({"headers": [1]}, "headers is a list of texts"),
        ({"regex": "x"}, "table of patterns"),
        ({"regex": {"x": "("}}, "the pattern 'x'"),
        ({"regex": {"x": 5}}, "the pattern 'x'"),
        ({"regex": {"x": "a*"}}, "matches an empty text"),
        ({"call": 5}, "is no function"),
        ({"call": "nowhere.py:x"}, "FileNotFoundError"),
    ],
)
def test_what_is_no_rule(table: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("(", "\\(")):
        Rules.of(table)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        Rules.load(tmp_path / "none.toml")
    (tmp_path / "odd.toml").write_bytes(b"off = [")
    with pytest.raises(UsageError, match="not TOML"):
        Rules.load(tmp_path / "odd.toml")
