"""Corpora of thousands: two workers against one, what a trial costs beyond the program's own run, memory.

The figures are printed: `make torture ARGS="-k corpora -s"`, some four minutes on two processors that are idle. Beside
those of the clock are those of processor time, and how much of the processors others had: seconds are worth something
only where that is next to nothing.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import pytest

from replay.corpus import local
from replay.corpus.causes import causes
from replay.corpus.trial import Trial, trials
from replay.launch import record_command
from replay.limits import Limits

MANY = 2000
AGENT = """
import json, sys, time
order = sys.argv[1]
begun = time.time()
with open("orders.json") as file:
    known = json.load(file)
print("refund", order, known.get(order, 0), begun)
"""
SERVER = """
import replay
@replay.tool(effect="write")
def refund(order, amount):
    return {"order": order, "amount": amount}
@replay.entrypoint(directory="calls")
def handle(order):
    return refund(f"A-{order}", 100 + order)
if __name__ == "__main__":
    for order in range(%d):
        handle(order)
"""


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """MANY recordings of a program, of which ten were made, each with a hash seed of its own; the others are copies."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "orders.json").write_text("{}")
    (tmp_path / "corpus").mkdir()
    made = [str(tmp_path / "corpus" / f"{number:05}.cassette") for number in range(10)]
    for number, path in enumerate(made):
        record_command(["python", "agent.py", f"A{number}"], path, output="discard")
    paths = list(made)
    for number in range(len(made), MANY):
        paths.append(str(tmp_path / "corpus" / f"{number:05}.cassette"))
        os.link(made[number % len(made)], paths[-1])
    return paths


class Spent:
    """Of the clock, of processors by us, and by others, while a block ran. Ours: of processes that ended in it, too."""

    def __enter__(self) -> Self:
        self._began = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        clock, here, below, all_ = (now - then for now, then in zip(self._now(), self._began, strict=True))
        self.seconds, self.here, self.ours = clock, here, here + below
        self.others = max(0.0, all_ - self.ours) / clock

    @staticmethod
    def _now() -> tuple[float, float, float, float]:
        own, below = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        user, nice, system, _, _, irq, soft, stolen, *_ = map(
            int, Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
        )
        busy = (user + nice + system + irq + soft + stolen) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), own.ru_utime + own.ru_stime, below.ru_utime + below.ru_stime, busy


def test_two_workers_share_the_work(corpus: list[str]) -> None:
    def took(workers: int) -> tuple[Spent, list[Trial]]:
        with Spent() as spent:
            found = list(local.tried(corpus, workers, Limits()))
        return spent, found

    one, first = took(1)
    two, second = took(2)
    print(
        f"\n{MANY} cassettes: {one.seconds:.1f} s with one worker, {two.seconds:.1f} s with two: "
        f"{one.seconds / two.seconds:.2f}x\n"
        f"  processor time of each: {one.ours / MANY * 1000:.1f} ms and {two.ours / MANY * 1000:.1f} ms, of that "
        f"{two.here / MANY * 1000:.2f} ms in the one process that workers share\n"
        f"  others had {one.others:.2f} and {two.others:.2f} of {os.cpu_count()} processors",
        flush=True,
    )
    for found in (first, second):
        assert len(found) == MANY
        assert {each.cassette for each in found} == set(corpus)
        assert causes(found) == []


def test_what_a_trial_costs_beyond_the_program(corpus: list[str]) -> None:
    plain: list[float] = []
    tried: list[float] = []
    some = corpus[1:201]
    with Spent() as all_, trials(Limits(seconds=60.0)) as attempt:
        assert attempt(corpus[0]).status == "same"  # the zygote starts
        for path in some:
            began = time.perf_counter()
            subprocess.run([sys.executable, "agent.py", "A1"], check=True, capture_output=True)
            plain.append(time.perf_counter() - began)
            began = time.perf_counter()
            found = attempt(path)
            tried.append(time.perf_counter() - began)
            assert (found.status, found.why_alone) == ("same", "")
    with Spent() as alone:
        for _ in some:
            subprocess.run([sys.executable, "agent.py", "A1"], check=True, capture_output=True)
    more = [after - before for before, after in zip(plain, tried, strict=True)]
    low, _, high = statistics.quantiles(more)
    program = alone.ours / len(some) * 1000
    trial = all_.ours / len(some) * 1000 - 2 * program
    print(
        f"\nthe program {statistics.median(plain) * 1000:.1f} ms, its trial {statistics.median(tried) * 1000:.1f} ms: "
        f"{statistics.median(more) * 1000:+.1f} ms (quartiles {low * 1000:+.1f}, {high * 1000:+.1f})\n"
        f"  processor time: the program {program:.1f} ms, its trial {trial:+.1f} ms (the zygote's start with it)\n"
        f"  others had {all_.others:.2f} of {os.cpu_count()} processors",
        flush=True,
    )


def test_memory_stays(corpus: list[str]) -> None:
    def resident() -> int:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    with trials(Limits()) as attempt:
        sizes: list[int] = []
        for path in corpus[: MANY // 2]:
            assert attempt(path).status == "same"
            sizes.append(resident())
    early, late = sizes[100], sizes[-1]
    print(f"\na worker: {early >> 20} MiB after 100 cassettes, {late >> 20} MiB after {len(sizes)}", flush=True)
    assert late < early + (4 << 20)


def test_calls_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "server.py").write_text(SERVER % MANY)
    subprocess.run([sys.executable, "server.py"], check=True)
    paths = [str(path) for path in (tmp_path / "calls").glob("*.cassette")]
    assert len(paths) == MANY
    began = time.perf_counter()
    held = list(local.tried(paths, 2, Limits()))
    took = time.perf_counter() - began
    print(f"\n{MANY} calls of a server: {took:.1f} s with two workers, {took / MANY * 1000:.1f} ms each", flush=True)
    assert causes(held) == []
    assert len(held) == MANY
    code = (tmp_path / "server.py").read_text()
    (tmp_path / "server.py").write_text(code.replace("100 + order", "100 + order if order % 5 else 0"))
    began = time.perf_counter()
    broke = list(local.tried(paths, 2, Limits()))
    found = causes(broke)
    print(
        f"a fifth of them broken: {time.perf_counter() - began:.1f} s, {[len(c.cassettes) for c in found]}", flush=True
    )
    assert [len(cause.cassettes) for cause in found] == [MANY // 5]


pytestmark = [pytest.mark.torture]
