"""What pytest calls. This module is imported by every test run where `agent-replay` is installed, so it imports nothing
but pytest; what a marked test needs is imported when there is one.

Rules:
- A test with a marker of ours gets the fixture that goes with it, whether it names it or not, so that unittest's and
  class-wide markers work, too.
- Nothing is patched, read or started for a test without one.
"""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from replay.launch import Run
    from replay.pytest_plugin.episodes import Episodes
    from replay.pytest_plugin.replays import Replays

MARKERS = (
    "replay(*cassettes, **options of replay.run): re-execute a recording, offline; `replayed` is its Run",
    "replay_cassette(*more, record_mode=, match_on=, …): answer HTTP requests from the test's cassette, or record",
    "default_cassette(name): the name of the test's cassette",
    "block_network(allowed_hosts=[...]): connections fail, but for these hosts",
    "cassette(**tags): on every collected cassette, with the recording's tags: -m 'cassette(env=\"prod\")'",
)
_FIXTURES = {"replay": "replayed", "replay_cassette": "replay_cassette", "block_network": "_no_network"}
_RECORDING = "pytest_recording"
"""Another plugin, which has the same option and marker to block the network: where it is, it does that."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("replay", "replaying recorded agents (agent-replay)")
    group.addoption(
        "--replay-paths",
        action="append",
        metavar="PATH",
        help="Collect the cassettes in this folder, or this one, as tests; may be repeated. Instead of the ini's.",
    )
    group.addoption(
        "--replay-mode",
        choices=("none", "once", "new_episodes", "all"),
        help="What @pytest.mark.replay_cassette does, as vcrpy's record modes. Default: the marker's, else none.",
    )
    if find_spec(_RECORDING) is None:
        group.addoption(
            "--block-network", action="store_true", help="Connections fail in every test, unless it records."
        )
        group.addoption("--allowed-hosts", help="Patterns of hosts that may be connected to, separated by commas.")
    parser.addini("replay_paths", "Folders whose *.cassette are collected as tests.", type="paths", default=[])


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if config.args_source != pytest.Config.ArgsSource.ARGS or config.getoption("replay_paths"):
        args = [Path(config.invocation_params.dir, arg).resolve() for arg in config.args]
        more = [path for path in _paths(config) if not any(path.is_relative_to(arg) for arg in args)]
        config.args.extend(str(path) for path in more)


def _paths(config: pytest.Config) -> list[Path]:
    chosen: list[str] | None = config.getoption("replay_paths")
    if chosen:
        return [Path(config.invocation_params.dir, path).resolve() for path in chosen]
    return [path.resolve() for path in config.getini("replay_paths")]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".cassette":
        return None
    if parent.session.isinitpath(file_path) or any(file_path.is_relative_to(path) for path in _paths(parent.config)):
        from replay.pytest_plugin.collecting import CassetteFile

        file: pytest.Collector = CassetteFile.from_parent(parent, path=file_path)
        return file
    return None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    mark = metafunc.definition.get_closest_marker("replay")
    if mark is not None and len(mark.args) > 1 and "replayed" in metafunc.fixturenames:
        ids = [Path(str(name)).stem for name in mark.args]
        metafunc.parametrize("replayed", mark.args, ids=ids, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    block = config.getoption("block_network", default=False)
    for item in items:
        if block:
            _ask_for(item, "_no_network")
        for marker, fixture in _FIXTURES.items():
            if item.get_closest_marker(marker) is not None:
                _ask_for(item, fixture)


def _ask_for(item: pytest.Item, fixture: str) -> None:
    """As `usefixtures` does: in front of the test's own fixtures, behind those that live longer than it."""
    names: list[str] | None = getattr(item, "fixturenames", None)
    if names is None or fixture in names:
        return
    definitions: dict[str, Any] = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    scopes = [definitions[name][-1].scope if definitions.get(name) else "function" for name in names]
    names.insert(next((at for at, scope in enumerate(scopes) if scope == "function"), len(names)), fixture)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.get_closest_marker("replay") is not None or item.get_closest_marker("cassette") is not None:
        from replay.pytest_plugin.replays import tell

        tell(item, report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector, report: object) -> None:
    """`--pdb`: before pytest's own debugger opens on the test, ours stops in the agent, where it went another way."""
    if not isinstance(node, pytest.Item) or not node.config.getoption("usepdb"):
        return
    if node.get_closest_marker("replay") is not None or node.get_closest_marker("cassette") is not None:
        from replay.pytest_plugin.replays import debug

        debug(node)


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    if op != "==" or type(left).__module__.partition(".")[0] != "replay":
        return None
    from replay.pytest_plugin.comparing import compared

    return compared(left, right)


@pytest.fixture(scope="module")
def _replays() -> Replays:
    """What was re-executed for this module's tests: each cassette once."""
    from replay.pytest_plugin.replays import Replays

    return Replays()


@pytest.fixture
def replayed(request: pytest.FixtureRequest) -> Run:
    """The Run of the cassette that `@pytest.mark.replay` names, re-executed once for the module, offline."""
    from replay.pytest_plugin.replays import replayed_for

    cache: Callable[[], Replays] = lambda: request.getfixturevalue("_replays")  # noqa: E731
    return replayed_for(request, cache)


@pytest.fixture
def replay_cassette(request: pytest.FixtureRequest) -> Iterator[Episodes]:
    """What the test's HTTP requests are answered from, or kept in: by `--replay-mode`, as vcrpy does."""
    from replay.pytest_plugin.cassettes import around

    with around(request, request.config.getoption("replay_mode")) as episodes:
        yield episodes


@pytest.fixture
def _no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """No connections, unless the test records or another plugin takes care of it."""
    from replay.pytest_plugin.network import blocked

    config, mark = request.config, request.node.get_closest_marker("block_network")
    recorded = request.node.get_closest_marker("replay_cassette")
    mode = config.getoption("replay_mode") or (recorded and recorded.kwargs.get("record_mode")) or "none"
    if config.pluginmanager.hasplugin("recording") or (recorded is not None and mode != "none"):
        yield
        return
    allowed = (mark and mark.kwargs.get("allowed_hosts")) or config.getoption("allowed_hosts", default=None)
    with blocked(allowed.split(",") if isinstance(allowed, str) else allowed):
        yield
