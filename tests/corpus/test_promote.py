"""An incident becomes a test that fails on the code it shows, and a repository that shows cassettes as text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import replay
from replay.cassette.redact.rules import Rules
from replay.cassette.redact.scanning import scan
from replay.corpus.promotion import promote
from replay.launch import record_command
from replay.model.errors import CassetteExists, UsageError
from replay_cli import exits
from tests.cli.test_reading import document
from tests.cli.test_reading import replay as command

BUGGY = """
import replay

@replay.tool(effect="read")
def lookup(order):
    return {"order": order, "amount": 129}

@replay.tool(effect="write")
def refund(order, amount):
    return {"refunded": amount}

@replay.tool(effect="write")
def mail(to, text):
    return True

known = lookup("A-1")
for attempt in range(2):
    refund(known["order"], known["amount"])
for number in range(10):
    mail("customer", "sorry")
print("done")
"""
RULE = "tool refund called at most 1"


@pytest.fixture
def incident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "support.py").write_text(BUGGY)
    record_command(["python", "support.py"], "incident.cassette", output="discard")
    return tmp_path / "incident.cassette"


def pytest_in(place: Path) -> subprocess.CompletedProcess[str]:
    # a run of its own: what this one has in its environment isn't that one's
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "tests"],
        cwd=place,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_test_fails_until_the_bug_is_gone(incident: Path) -> None:
    place = incident.parent
    said = document("promote", "incident.cassette", "--to", "tests/incidents", "--expect", RULE, cwd=place)
    assert said["test"] == "tests/incidents/test_support.py"
    assert said["now"] == "fails"
    assert said["events"]["kept"] < said["events"]["of"]
    with replay.load(place / said["cassette"]) as kept:
        assert [event.name for event in kept.events if event.kind == "tool"] == ["lookup", "refund", "refund"]
        assert kept.header["promoted"]["id"] != kept.id
    buggy = pytest_in(place)
    assert (buggy.returncode, "1 failed" in buggy.stdout) == (1, True), buggy.stdout + buggy.stderr
    assert "refund called at most 1" in buggy.stdout
    (place / "support.py").write_text(BUGGY.replace("range(2)", "range(1)"))
    fixed = pytest_in(place)
    assert (fixed.returncode, "1 passed" in fixed.stdout) == (0, True), fixed.stdout + fixed.stderr


def test_what_the_end_decides_keeps_the_end(incident: Path, tmp_path: Path) -> None:
    made = promote(incident, tmp_path / "t", "exit == 1", name="Ends badly!")
    assert (made.test.name, made.cassette.name, made.kept) == ("test_ends_badly.py", "ends_badly.cassette", made.events)
    assert made.cassette.read_bytes() == incident.read_bytes()
    assert made.cassette.stat().st_mode & 0o777 == 0o600
    both = promote(incident, tmp_path / "t" / "test_both.py", f"{RULE} and exit == 0", name="both")
    assert "(tool refund called at most 1 and exit == 0) or diverged" in both.test.read_text()


def test_a_test_that_would_never_fail_is_none(incident: Path, tmp_path: Path) -> None:
    for expression in ("tool refund called at most 2", "identical"):
        with pytest.raises(UsageError, match="would not fail"):
            promote(incident, tmp_path / "t", expression)
    assert not (tmp_path / "t").exists()
    promote(incident, tmp_path / "t", RULE)
    with pytest.raises(CassetteExists):
        promote(incident, tmp_path / "t", RULE)
    wrong = command("promote", incident, "--to", tmp_path / "t", "--expect", "tool refund called", cwd=tmp_path)
    assert wrong.returncode == exits.USAGE


SECRETIVE = """
import os
import replay

KEY = os.environ.get("SHOP_SERIAL", "")

@replay.tool(effect="read")
def lookup(order):
    return {"order": order, "mail": "bob.jones@shop-mail.com", "card": "4111 1111 1111 1111"}

@replay.tool(effect="write")
def mail(to, text, serial):
    return {"sent": to}

known = lookup("A-1")
for attempt in range(2):
    mail(known["mail"], "about CUST-77: " + known["card"], KEY)
print("done", known["mail"])
raise SystemExit(3)
"""


@pytest.mark.parametrize("rule", ["tool mail called at most 1", "tool mail called at most 1 and exit == 0"])
def test_secrets_stay_behind_and_the_test_still_replays(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_SERIAL", "serial-0815")
    (tmp_path / "support.py").write_text(SECRETIVE)
    (tmp_path / "none.toml").write_text('off = ["email", "card"]\n')
    (tmp_path / "rules.toml").write_text('[regex]\ncustomer = "CUST-\\\\d+"\nserial = "serial-\\\\d+"\n')
    record = [sys.executable, "-m", "replay_cli", "record", "-q", "-o", "i.cassette", "--redact", "none.toml"]
    subprocess.run([*record, "--", "python", "support.py"], check=False, capture_output=True)
    said = document("promote", "i.cassette", "--to", "tests", "--expect", rule, "--redact", "rules.toml", cwd=tmp_path)
    assert (said["now"], said["redacted"] > 0) == ("fails", True)
    made = tmp_path / said["cassette"]
    assert list(scan(made, Rules.load(tmp_path / "rules.toml"))) == []
    with replay.load(made) as kept:
        events = list(kept.events)
        for secret in ("bob.jones", "4111", "CUST-77", "serial-0815"):
            assert secret not in repr(events)
        (looked,) = (event for event in events if event.name == "lookup")
        mailed = {event.response["sent"] for event in events if event.name == "mail" and event.kind == "tool"}
        assert mailed == {looked.response["mail"]}  # equal ones are equal still
    buggy = pytest_in(tmp_path)
    assert (buggy.returncode, "1 failed" in buggy.stdout) == (1, True), buggy.stdout + buggy.stderr
    (tmp_path / "support.py").write_text(SECRETIVE.replace("range(2)", "range(1)"))
    fixed = pytest_in(tmp_path)
    assert (fixed.returncode, "1 passed" in fixed.stdout) == (0, True), fixed.stdout + fixed.stderr


def test_what_only_a_secret_decides_is_no_test(incident: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[regex]\norder = "A-1"\n')
    said = 'no tool refund(order == "A-1")'
    found = command(
        "promote", incident, "--to", tmp_path / "t", "--expect", said, "--redact", tmp_path / "rules.toml", cwd=tmp_path
    )
    assert (found.returncode, "without its secrets" in found.stderr) == (exits.USAGE, True), found.stderr
    assert [each.name for each in (tmp_path / "t").iterdir()] == []


def git(place: Path, *words: str) -> str:
    settings = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *settings, *words], cwd=place, capture_output=True, text=True, check=True)
    return done.stdout


def test_git_shows_cassettes_as_text(incident: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = incident.parent
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    git(place, "init", "-q")
    (place / ".gitattributes").write_text("*.png binary")
    (place / "pyproject.toml").write_text('[project]\nname = "x"\n\n[tool.pytest.ini_options]\naddopts = "-q"\n')
    first = command("init", cwd=place)
    assert (first.returncode, first.stderr) == (exits.SAME, "")
    assert (place / ".gitattributes").read_text() == "*.png binary\n*.cassette -text diff=replay\n"
    assert (
        '[tool.pytest.ini_options]\nreplay_paths = ["tests/incidents"]\naddopts'
        in (place / "pyproject.toml").read_text()
    )
    before = (place / "pyproject.toml").read_text()
    assert "nothing to do" in command("init", cwd=place).stdout
    assert (place / "pyproject.toml").read_text() == before
    git(place, "add", ".")
    git(place, "commit", "-qm", "one")
    (place / "support.py").write_text(BUGGY.replace("sorry", "thank you"))
    incident.unlink()
    record_command(["python", "support.py"], str(incident), output="discard")
    shown = git(place, "diff", "incident.cassette")
    assert any(line.startswith("-") and "sorry" in line for line in shown.splitlines())
    assert any(line.startswith("+") and "thank you" in line for line in shown.splitlines())
    assert not any(line.startswith(("-event", "+event")) for line in shown.splitlines())
    incident.write_bytes(b"not a cassette")
    assert "unreadable" in git(place, "diff", "incident.cassette")


def test_init_needs_a_repository(tmp_path: Path) -> None:
    found = command("init", cwd=tmp_path, GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    assert (found.returncode, "git" in found.stderr) == (exits.USAGE, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("pytest.ini", "[pytest]\nminversion = 8\n", "[pytest]\nreplay_paths = tests/incidents\nminversion = 8\n"),
        ("setup.cfg", "[tool:pytest]\n", "[tool:pytest]\nreplay_paths = tests/incidents\n"),
        ("pyproject.toml", "", '[tool.pytest.ini_options]\nreplay_paths = ["tests/incidents"]\n'),
    ],
)
def test_init_writes_where_pytest_looks(file: str, before: str, after: str, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / file).write_text(before)
    assert command("init", cwd=tmp_path).returncode == exits.SAME
    assert (tmp_path / file).read_text() == after
