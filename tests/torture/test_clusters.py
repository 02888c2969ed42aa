"""`replay test` on real clusters of this machine, with two workers, one of them killed in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replay.corpus.engines import tried
from replay.launch import record_command
from replay.limits import Limits
from replay.model.errors import UsageError

MANY = 60
AGENT = """
import json, sys, time
order = sys.argv[1]
with open("orders.json") as file:
    known = json.load(file)
print("refund", order, known.get(order, 0), time.time())
"""


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "orders.json").write_text(json.dumps({}))
    first = tmp_path / "0.cassette"
    record_command(["python", "agent.py", "A1"], str(first), output="discard")
    for number in range(1, MANY):
        os.link(first, tmp_path / f"{number}.cassette")
    return [str(tmp_path / f"{number}.cassette") for number in range(MANY)]


def below(pid: int) -> Iterator[tuple[int, str]]:
    """The processes below one: (id, command line)."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdecimal() else []
        except OSError:
            continue
        if stat:
            parents.setdefault(int(stat[1]), []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), ()):
            waiting.append(child)
            try:
                yield child, (Path("/proc") / str(child) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue


def kill(root: int, fits: Callable[[str], bool]) -> int:
    pid = next(pid for pid, line in below(root) if fits(line))
    os.kill(pid, signal.SIGKILL)
    return pid


def all_once(engine: str, address: str, corpus: list[str], kill_one: Callable[[], int]) -> None:
    killed: list[int] = []
    seen: list[str] = []
    for trial in tried(corpus, engine=engine, address=address, limits=Limits(seconds=120.0)):
        assert (trial.status, trial.reason) == ("same", "")
        seen.append(trial.cassette)
        if len(seen) == MANY // 6:
            killed.append(kill_one())
    assert sorted(seen) == sorted(corpus)
    assert len(killed) == 1
    print(f"\n{engine}: {len(seen)} cassettes, each once; worker {killed[0]} was killed in the middle", flush=True)


@contextmanager
def started(*words: str, until: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A process that has said a line with `until` on its standard error or output; it is ended with the block."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if until in line)
        yield process, line
    finally:
        process.terminate()
        process.communicate()


def test_dask(corpus: list[str]) -> None:
    dask = [
        sys.executable,
        "-m",
        "distributed.cli.dask_scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        "0",
        "--no-dashboard",
    ]
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        "--nthreads",
        "1",
        "--no-dashboard",
        "--nworkers",
        "1",
    ]
    with started(*dask, until="Scheduler at:") as (_, said):
        address = said.split("Scheduler at:")[1].strip()
        with (
            started(*worker, address, until="Starting established connection") as (first, _),
            started(*worker, address, until="Starting established connection"),
        ):
            all_once("dask", address, corpus, lambda: kill(first.pid, lambda line: "multiprocessing" in line))
    with pytest.raises(UsageError, match="no Dask cluster"):
        list(tried(corpus, engine="dask", address="tcp://127.0.0.1:1", limits=Limits()))


def test_ray(corpus: list[str], tmp_path: Path) -> None:
    ray = str(Path(sys.executable).with_name("ray"))
    environ = {**os.environ, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    head = [ray, "start", "--head", "--port", "0", "--num-cpus", "2", "--include-dashboard=false", "--block"]
    with subprocess.Popen(
        [*head, "--disable-usage-stats", "--temp-dir", f"/tmp/r{os.getpid()}"],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as cluster:  # fmt: skip
        try:
            assert cluster.stdout is not None
            address = next(
                line.split("--address='")[1].split("'")[0] for line in cluster.stdout if "--address='" in line
            )
            all_once("ray", address, corpus, lambda: kill(cluster.pid, lambda line: line.startswith("ray::attempt")))
        finally:
            cluster.terminate()
            cluster.communicate()
    with pytest.raises(UsageError, match="no Ray cluster"):
        list(tried(corpus, engine="ray", address="127.0.0.1:1", limits=Limits()))


pytestmark = [pytest.mark.torture]
