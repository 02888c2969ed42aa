"""With the plugins and styles of tests that are around: xdist, asyncio, anyio, unittest, random order, snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pytest_plugin.conftest import Outcome
from tests.pytest_plugin.counting import Counting

_SUITE = """
import asyncio, unittest
import httpx, pytest
from replay.testing import expect, tool

URL = {url!r} + "/number"

async def ask():
    async with httpx.AsyncClient() as client:
        return (await client.get(URL)).text

@pytest.fixture
async def asked():
    return await ask()

@pytest.mark.asyncio
@pytest.mark.replay_cassette
async def test_asyncio(replay_cassette):
    first, second = await asyncio.gather(ask(), ask())
    assert first != second
    assert len(replay_cassette.all) == 2

@pytest.mark.anyio
@pytest.mark.replay_cassette
async def test_anyio():
    from anyio import to_thread
    assert await ask() != await to_thread.run_sync(lambda: httpx.get(URL).text)

@pytest.mark.replay("refund.cassette")
@pytest.mark.asyncio
async def test_replayed(replayed):
    expect(replayed).identical().tool("refund").called(2)

class TestCase(unittest.TestCase):
    @pytest.mark.replay("refund.cassette")
    def test_replay(self):
        expect(self.replayed).tool("lookup").once()

    @pytest.mark.replay_cassette
    def test_cassette(self):
        assert int(httpx.get(URL).text) > 0

@pytest.mark.replay("refund.cassette")
class TestClass:
    def test_named(self, replayed):
        assert replayed.identical

    def test_unnamed(self):
        pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, cassette: Path) -> Iterator[Counting]:
    server = Counting()
    pytester.makepyfile(test_it=_SUITE.format(url=server.url))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\nreplay_paths = .\n")
    yield server
    server.stop()


PLUGINS = ("pytest_asyncio.plugin", "anyio.pytest_plugin")


def test_all_of_them(run: Outcome, suite: Counting) -> None:
    """Recorded in one process; replayed by two, in random order, without a server."""
    first = run("--replay-mode=once", "-k", "not trio", plugins=PLUGINS)
    first.assert_outcomes(passed=8, deselected=1)
    seen = suite.count
    suite.stop()
    more = ("-n", "2", "-p", "xdist", "-p", "pytest_randomly", "--dist", "loadfile")
    run(*more, "--block-network", "-k", "not trio", plugins=PLUGINS).assert_outcomes(passed=8)
    assert suite.count == seen == 5


def test_snapshots(pytester: pytest.Pytester, run: Outcome, cassette: Path) -> None:
    """Written by inline-snapshot and by syrupy, reviewed, and compared; a difference is shown step by step."""
    pytester.makepyfile(
        """
        import pytest
        from inline_snapshot import snapshot as inline
        from replay.testing import expect

        pytestmark = pytest.mark.replay("refund.cassette")

        def test_inline(replayed):
            assert expect(replayed).trajectory == inline()

        def test_syrupy(replayed, snapshot):
            assert expect(replayed).within("planner").trajectory == snapshot
        """
    )
    plugins = ("inline_snapshot.pytest_plugin", "syrupy")
    run("--inline-snapshot=create", "--snapshot-update", plugins=plugins)
    written = (pytester.path / "test_snapshots.py").read_text()
    assert "[clerk] tool send_email(to='nobody', text='done') -> ValueError: no address" in written
    run(plugins=plugins).assert_outcomes(passed=2)
    (pytester.path / "test_snapshots.py").write_text(written.replace("amount=5", "amount=6", 1))
    failed = run("--inline-snapshot=report", plugins=plugins)  # said, as its default is another one in CI
    failed.assert_outcomes(failed=1, passed=1, errors=1)  # the error is inline-snapshot's own way to say so
    failed.stdout.fnmatch_lines(
        [
            "*the trajectories differ (- left, + right)",
            "*    1     1   *read_webpage*",
            "*- *2 *amount=5*",
            "*+ *2 *amount=6*",
        ]
    )


def test_two_runs_are_shown_aligned(pytester: pytest.Pytester, run: Outcome, cassette: Path, changed: Path) -> None:
    pytester.makepyfile(
        """
        import replay

        def test_it():
            assert replay.run("refund.cassette") == replay.run("changed.cassette")
        """
    )
    result = run()
    result.stdout.fnmatch_lines(["*the runs differ*", "*- *2 *amount=5*", "*+ *2 *amount=6*"])


def test_policies_and_baselines(pytester: pytest.Pytester, run: Outcome, cassette: Path) -> None:
    (pytester.path / "policy.yaml").write_text(
        'version: 1\nrules:\n- {name: one refund, expect: "tool refund called at most 1", severity: error}\n'
    )
    pytester.makepyfile(
        """
        import pytest
        from replay.testing import expect

        @pytest.mark.replay("refund.cassette")
        def test_it(replayed):
            expect(replayed).policy("policy.yaml")
        """
    )
    result = run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*policy.yaml: *refund.cassette deviates", "*event 3 one refund: *called twice"])
    (pytester.path / "policy.yaml").write_text((pytester.path / "policy.yaml").read_text().replace("most 1", "most 2"))
    run().assert_outcomes(passed=1)
