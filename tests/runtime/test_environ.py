"""Environment variables: those that were asked for are stored, secrets as pseudonyms, and replay has them again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.programs import explained, record, replays

_PSEUDONYM = re.compile(r"(?:sk-)?<redacted:[0-9a-f]{4,}>")


def test_reads_of_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
        import os
        from os import environ, getenv
        print(os.environ["GIVEN"], os.environ.get("UNSET"), os.environ.get("UNSET2", "default"), getenv("GIVEN2"))
        try:
            environ["UNSET3"]
        except KeyError as error:
            print("no", error)
        print("GIVEN3" in environ, "UNSET4" in environ, os.environb.get(b"GIVEN4"))
        environ["OWN"] = "1"
        print(environ["OWN"], environ.pop("GIVEN5"), environ.setdefault("UNSET5", "d"), environ["UNSET5"])
        del environ["GIVEN6"]
        print(environ.get("GIVEN6"))
        print(environ.get("GIVEN"), environ.get("EMPTY"))
    """
    given = {f"GIVEN{n}": f"value {n}" for n in (2, 3, 4, 5, 6)} | {"GIVEN": "värde", "EMPTY": "", "UNASKED": "private"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = record(tmp_path, source)
    assert found.text.splitlines()[0] == "värde None default value 2"
    for name in given:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UNSET", "now it is set")
    monkeypatch.setenv("UNSET4", "now it is set")
    again = found.again()
    assert again.identical, explained(again)
    assert again.stdout == found.stdout
    stored = {event.name: event.response for event in found.events("env")}
    assert stored["GIVEN"] == "värde"
    assert stored["UNSET"] is None
    assert "OWN" not in stored
    assert stored["GIVEN6"] == "value 6", "deleting it needs it"
    assert b"private" not in Path(found.path).read_bytes()
    assert [event.name for event in found.events("env")].count("GIVEN") == 1


def test_a_secret_is_a_pseudonym_in_the_file_and_at_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-very-secret-0123456789"
    monkeypatch.setenv("SERVICE_API_KEY", secret)
    monkeypatch.setenv("OTHER_TOKEN", secret)
    found = record(
        tmp_path,
        """
        import os
        key = os.environ["SERVICE_API_KEY"]
        assert key and key == os.environ["OTHER_TOKEN"]
        print("with a key" if key else "without")
        with open(os.environ["SHOW"], "a") as file:
            file.write(key + "\\n")
        """,
        variables={"SHOW": str(tmp_path / "shown")},
    )
    assert found.exit_code == 0, found.stderr.decode()
    assert (tmp_path / "shown").read_text() == f"{secret}\n"
    assert secret.encode() not in Path(found.path).read_bytes()
    (event,) = [event for event in found.events("env") if event.name == "SERVICE_API_KEY"]
    assert _PSEUDONYM.fullmatch(event.response)
    monkeypatch.delenv("SERVICE_API_KEY")
    monkeypatch.delenv("OTHER_TOKEN")
    again = found.again()
    assert again.stdout == b"with a key\n"
    assert again.identical
    assert (tmp_path / "shown").read_text() == f"{secret}\n", "a replay writes nothing"


def test_a_walk_over_the_environment_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNASKED_PRIVATE", "very private")
    monkeypatch.setenv("ASKED", "value")
    found = replays(
        tmp_path,
        """
        import os
        def named(**variables):
            return len(variables)
        walked = [len(list(os.environ)), len(dict(os.environ)), len(os.environ.copy()), len(list(os.environ.items())),
                  len({**os.environ}), named(**os.environ), len(os.environ | {}), len(list(os.environ.values()))]
        print(all(n > 2 for n in walked), any(name == "HOME" for name in os.environ))
        for name in os.environ.keys():
            if name == "ASKED":
                print(os.environ[name])
        """,
        times=1,
    )
    assert b"very private" not in Path(found.path).read_bytes()
    names = {event.name for event in found.events("env")}
    assert "UNASKED_PRIVATE" not in names
    assert "ASKED" in names


def test_proxies_are_found_on_a_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`urllib` finds them so, and clients build themselves by what it found; a password in one isn't stored."""
    for name in ("HTTP_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("FTP_PROXY", "http://me:very%20private@127.0.0.1:1")
    found = record(tmp_path, "import urllib.request\nprint(sorted(urllib.request.getproxies()))\n")
    assert "'ftp'" in found.text
    monkeypatch.delenv("FTP_PROXY")
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:2")  # of the machine that replays
    again = found.again()
    assert (again.identical, again.stdout) == (True, found.stdout)
    assert b"private" not in Path(found.path).read_bytes()


def test_names_of_ours_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program sees its own environment: neither our path nor our hash seed."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    replays(
        tmp_path,
        "import os\nprint([os.environ.get(n) for n in ('PYTHONPATH', 'PYTHONHASHSEED', 'REPLAY_BOOT')])\n",
        times=1,
    )
