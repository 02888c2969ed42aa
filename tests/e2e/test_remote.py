"""Cassettes at URLs: an S3 server on loopback, a file, and what fsspec knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from replay.cassette import remote
from replay.cassette.cassette import load
from replay.cassette.verify import verify
from replay.model.errors import CassetteMissing, CassetteUnreadable
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
    assert remote.url_of(name) == url
