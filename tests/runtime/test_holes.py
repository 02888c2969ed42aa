"""The grammar of `--allow`, and what fits which hole."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.model.errors import UsageError
from replay.runtime.holes import Hole, Holes, addresses, parse


def resolve(host: str) -> list[str]:
    return {"example": ["10.0.0.1", "::1"]}.get(host, [])


def holes(*texts: str) -> Holes:
    return Holes(texts, resolve)


@pytest.mark.parametrize("text", ["", ":", "connect", "connect:", "signal:one", "read:/x", "Connect:x"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_as_it_is_written() -> None:
    assert parse("connect:[::1]:80") == Hole("connect", "[::1]:80")
    assert str(parse("process:git")) == "process:git"


@pytest.mark.parametrize(
    ("hole", "address", "fits"),
    [
        ("connect:10.0.0.1", ("10.0.0.1", 80), True),
        ("connect:10.0.0.1:80", ("10.0.0.1", 80), True),
        ("connect:10.0.0.1:81", ("10.0.0.1", 80), False),
        ("connect:10.0.0.2", ("10.0.0.1", 80), False),
        ("connect:example", ("10.0.0.1", 80), True),
        ("connect:example:80", ("::1", 80, 0, 0), True),
        ("connect:example", ("10.0.0.2", 80), False),
        ("connect:elsewhere", ("10.0.0.1", 80), False),
        ("connect:*", ("10.0.0.1", 80), True),
        ("connect:*:80", ("10.0.0.1", 80), True),
        ("connect:*:81", ("10.0.0.1", 80), False),
        ("connect:[::1]:80", ("::1", 80, 0, 0), True),
        ("connect:[::1]", ("::1", 9, 0, 0), True),
        ("connect:::1", ("::1", 9, 0, 0), True),
        ("connect:/run/x", "/run/x", True),
        ("connect:/run/x", b"/run/x", True),
        ("connect:/run", "/run/x", False),
        ("connect:*", "/run/x", True),
        ("connect:example", None, False),
        ("write:/", ("10.0.0.1", 80), False),
    ],
)
def test_connections(hole: str, address: object, fits: bool) -> None:
    assert (holes(hole).connect(address) is not None) == fits


def test_looking_up_the_name_of_a_hole_only() -> None:
    assert holes("connect:example:80").look_up(b"example") == Hole("connect", "example:80")
    assert holes("connect:example").look_up("10.0.0.1") is None
    assert holes("connect:*").look_up("anything") == Hole("connect", "*")


def test_programs_by_name_or_path() -> None:
    assert holes("process:git").process("/usr/bin/git") is not None
    assert holes("process:/usr/bin/git").process(b"/usr/bin/git") is not None
    assert holes("process:/usr/bin/git").process("git") is None
    assert holes("process:git").process("gitk") is None


def test_files_below_a_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    real = str(tmp_path / "real")
    found = holes(f"write:{tmp_path}/link")
    assert found.write(real) is not None
    assert found.write(f"{real}/below") is not None
    assert found.write(f"{real}er") is None
    assert holes("write:/").write("/etc/passwd") is not None


def test_signals_and_functions() -> None:
    assert holes("signal:12").signal(12) is not None
    assert holes("signal:12").signal(1) is None
    assert holes("signal:*").signal(1) is not None
    assert holes("native:kill").native("kill") is not None
    assert holes("native:kill").native("connect") is None


def test_real_addresses() -> None:
    assert "127.0.0.1" in addresses("127.0.0.1")
    assert addresses("no such host \0") == frozenset()
