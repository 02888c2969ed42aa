"""Cassettes at URLs: an S3 server on loopback, a file, and what fsspec knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from replay import uploading
from replay.cassette import remote
from replay.cassette.cassette import load
from replay.cassette.urls import url_of
from replay.cassette.verify import verify
from replay.model.errors import CassetteExists, CassetteMissing, CassetteUnreadable
from tests.cassette.recordings import add, begin

REPLAY = Path(sys.executable).with_name("replay")
ANSWERS: tuple[str, ...] = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL")


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[Any, dict[str, str]]]:
    """A client of a bucket `recordings`, and the environment in which others find it."""
    server: Any = import_module("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environ: dict[str, str] = dict(zip(ANSWERS, ("key", "secret", "us-east-1", f"http://{host}:{port}"), strict=True))
    client: Any = import_module("boto3").client(
        "s3",
        endpoint_url=environ["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket="recordings")
    yield client, environ
    client.close()
    server.stop()


@pytest.fixture
def there(bucket: tuple[Any, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in bucket[1].items():
        monkeypatch.setenv(name, value)
    return bucket[0]


def cli(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REPLAY, *args], cwd=cwd, capture_output=True, text=True, check=False, timeout=100)


def test_in_s3(there: Any, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import time\nfor _ in range(3): print(time.time())\n")
    assert cli("record", "-o", "x.cassette", "--", sys.executable, "program.py", cwd=tmp_path).returncode == 0
    there.upload_file(str(tmp_path / "x.cassette"), "recordings", "runs/x.cassette")
    there.put_object(Bucket="recordings", Key="runs/other.txt", Body=b"no cassette")
    there.put_object(Bucket="recordings", Key="runs/junk.cassette", Body=b"junk")
    there.put_object(Bucket="recordings", Key="runs/below/y.cassette", Body=b"junk")
    url = "s3://recordings/runs/x.cassette"
    rows = json.loads(cli("ls", "s3://recordings/runs", "--json", cwd=tmp_path).stdout)["cassettes"]
    assert [row["path"] for row in rows] == ["s3://recordings/runs/junk.cassette", url]
    assert "cassette-foreign" in rows[0]["problem"]
    assert (rows[1]["status"], rows[1]["events"]) == ("sealed", len(load(tmp_path / "x.cassette").events))
    assert "x" in cli("ls", "s3://recordings/runs", cwd=tmp_path).stdout
    shown = json.loads(cli("show", url, "--json", cwd=tmp_path).stdout)
    assert len(shown["events"]) == rows[1]["events"]
    assert cli("verify", url, cwd=tmp_path).returncode == 0
    done = cli("run", url, "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["cassette"]) == (0, url), done.stderr
    assert cli("run", "s3://recordings/none.cassette", cwd=tmp_path).returncode == 125
    assert "[cassette-missing]" in cli("show", "s3://recordings/none.cassette", cwd=tmp_path).stderr
    assert cli("ls", "s3://nowhere/", cwd=tmp_path).returncode == 125


def test_only_what_is_asked_for_is_read(there: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.cassette"
    writer = begin(path)
    for _ in range(200):
        add(writer, os.urandom(20_000))
    writer.seal()
    writer.close()
    there.upload_file(str(path), "recordings", "large.cassette")
    size, read = path.stat().st_size, list[int]()
    real = remote._Objects.read  # pyright: ignore[reportPrivateUsage]

    def counted(self: Any, key: str, start: int, end: int) -> bytes:
        read.append(end - start)
        return real(self, key, start, end)

    monkeypatch.setattr(remote._Objects, "read", counted)  # pyright: ignore[reportPrivateUsage]
    with load("s3://recordings/large.cassette") as cassette:
        assert (cassette.status, len(cassette.events)) == ("sealed", 200)
        assert sum(read) <= 3 * remote.BLOCK
        with load(path) as local:
            assert cassette.events[120].response == local.events[120].response
        assert sum(read) < size / 4
        cassette.events[121]
        assert len(read) < 10
    assert verify("s3://recordings/large.cassette").intact


def test_other_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x y.cassette"
    writer = begin(path)
    add(writer, 1)
    writer.end({})
    writer.seal()
    writer.close()
    url = path.as_uri()
    assert load(url).events[0].response == 1
    assert remote.listed(tmp_path.as_uri()) == [f"{tmp_path.as_uri()}/x y.cassette"]
    memory: Any = import_module("fsspec").filesystem("memory")
    memory.pipe_file("/runs/x.cassette", path.read_bytes())
    assert load("memory://runs/x.cassette").events[0].response == 1
    assert remote.listed("memory://runs") == ["memory://runs/x.cassette"]
    for missing in ("memory://runs/none.cassette", "file:///none/x.cassette"):
        with pytest.raises(CassetteMissing):
            load(missing)
    with pytest.raises(CassetteUnreadable):
        load("nonsense://x/y.cassette")

    def gone(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(remote, "import_module", gone)
    with pytest.raises(CassetteUnreadable, match=r"agent-replay\[remote\]"):
        load("s3://recordings/x.cassette")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("s3:/recordings/x", "s3://recordings/x"),
        ("s3://recordings/x", "s3://recordings/x"),
        ("file:/x/y", "file:///x/y"),
        ("x.cassette", None),
        ("c:/x", None),
    ],
)
def test_urls_that_went_through_a_path(name: str, url: str | None) -> None:
    assert url_of(name) == url


def test_uploads_survive_a_store_that_is_away(there: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        writer = begin(tmp_path / f"{name}.cassette")
        add(writer, name)
        writer.end({})
        writer.seal()
        writer.close()
    spool, waited = uploading.spool_of(tmp_path), list[float]()
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        away.setattr(remote, "_RETRIES", {"max_retries": 0, "retry_timeout": timedelta(seconds=1)})
        uploading.note([tmp_path / "one.cassette", tmp_path / "two.cassette"], "s3://recordings/up", spool)
        problems = [problem for _, problem in uploading.upload(spool, waited.append)]
    assert all(isinstance(problem, CassetteUnreadable) for problem in problems)
    assert waited == [*uploading.PAUSES, *uploading.PAUSES]
    assert len(list(spool.iterdir())) == 2
    done = dict(uploading.upload(spool, waited.append))  # another process, later
    assert done == {"s3://recordings/up/one.cassette": None, "s3://recordings/up/two.cassette": None}
    assert list(spool.iterdir()) == []
    assert load("s3://recordings/up/one.cassette").events[0].response == "one"
    uploading.note([tmp_path / "one.cassette"], "s3://recordings/up", spool)
    assert [problem for _, problem in uploading.upload(spool, waited.append)] == [None], "the same is there"
    (tmp_path / "one.cassette").write_bytes((tmp_path / "two.cassette").read_bytes())
    uploading.note([tmp_path / "one.cassette"], "s3://recordings/up", spool)
    ((_, problem),) = uploading.upload(spool, waited.append)
    assert isinstance(problem, CassetteExists)
    assert load("s3://recordings/up/one.cassette").events[0].response == "one"


def test_uploading_to_a_folder(tmp_path: Path) -> None:
    writer = begin(tmp_path / "x.cassette")
    writer.end({})
    writer.seal()
    writer.close()
    target = (tmp_path / "far away").as_uri()
    done = cli("upload", "x.cassette", "--to", target, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, f"{target}/x.cassette"), done.stderr
    assert (tmp_path / "far away" / "x.cassette").read_bytes() == (tmp_path / "x.cassette").read_bytes()
    assert cli("upload", cwd=tmp_path).returncode == 0
    assert cli("upload", "x.cassette", "--to", "nowhere", cwd=tmp_path).returncode == 129
    (tmp_path / "x.cassette").write_bytes(b"other")
    done = cli("upload", "x.cassette", "--to", target, cwd=tmp_path)
    assert (done.returncode, "[cassette-exists]" in done.stderr) == (125, True)


def test_a_recording_is_uploaded_behind_the_program(tmp_path: Path) -> None:
    target = tmp_path / "away" / "x.cassette"
    command = ("record", "-o", "x.cassette", "--upload", (tmp_path / "away").as_uri(), "--")
    done = cli(*command, sys.executable, "-c", "print(1)", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1\n")
    end = time.monotonic() + 60
    while not target.exists():
        assert time.monotonic() < end
    assert load(target).status == "sealed"
    done = cli(
        "record",
        "-o",
        "y.cassette",
        "--upload",
        "nowhere",
        "--",
        sys.executable,
        "-c",
        "raise SystemExit(3)",
        cwd=tmp_path,
    )
    assert (done.returncode, "not uploaded" in done.stderr) == (3, True)


WITHIN = """
import os, sys, replay

@replay.tool
def look(number):
    return number * 2

@replay.entrypoint
def handle(number):
    return look(number)

with replay.record("block.cassette"):
    look(1)
print(sum(handle(n) for n in range(int(sys.argv[1]))))
"""


def _there(folder: Path, count: int) -> list[Path]:
    end = time.monotonic() + 60
    while len(found := sorted(folder.rglob("*.cassette"))) < count:
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found


def test_what_a_program_records_from_within_is_uploaded(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(WITHIN)
    away = tmp_path / "away"
    done = python(tmp_path, "program.py", "12", REPLAY_UPLOAD=away.as_uri(), REPLAY_DIR=str(tmp_path / "dir"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "132\n", "")
    found = _there(away, 13)
    assert {path.name for path in found} == {
        "block.cassette",
        *(path.name for path in (tmp_path / "dir").glob("*.cassette")),
    }
    end = time.monotonic() + 60
    while list((tmp_path / "dir" / ".uploads").glob("*.json")):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert all(load(path).status == "sealed" for path in found)


def test_a_store_that_is_away_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(WITHIN)
    (tmp_path / "file").write_text("")
    target = (tmp_path / "file").as_uri()  # nothing can be stored below a file
    done = python(tmp_path, "program.py", "3", REPLAY_UPLOAD=target, REPLAY_DIR=str(tmp_path / "dir"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "6\n", "")
    assert len(list((tmp_path / "dir" / ".uploads").glob("*.json"))) == 4
    done = python(tmp_path, "program.py", "3", REPLAY_UPLOAD="nowhere", REPLAY_DIR=str(tmp_path / "other"))
    assert (done.returncode, done.stdout) == (0, "6\n")
    assert done.stderr.count("not uploaded") == 1


def test_children_are_uploaded_beside_their_parent(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'print(1)']).returncode)\n"
    )
    command = ("record", "-o", "x.cassette", "--upload", (tmp_path / "away").as_uri(), "--")
    done = cli(*command, sys.executable, "program.py", cwd=tmp_path)
    assert done.returncode == 0
    found = _there(tmp_path / "away", 2)
    assert [str(path.relative_to(tmp_path / "away")) for path in found] == ["x.cassette", "x.d/1.cassette"]


def python(where: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("REPLAY_")}
    return subprocess.run(
        [sys.executable, *words], cwd=where, env={**kept, **variables}, capture_output=True, text=True, check=False
    )
