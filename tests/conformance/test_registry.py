"""The table of seams: lazy, honest about what doesn't fit, silent without a recording, and documented."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from replay.seams import registry
from replay.seams._seam import Seam, Target
from replay.seams._table import markdown

ROOT = Path(__file__).parents[2]
TARGETS = [(seam, target) for seam in registry.SEAMS for target in seam.targets]
each_target = pytest.mark.parametrize(
    ("seam", "target"), TARGETS, ids=[f"{seam.name}-{target.module}" for seam, target in TARGETS]
)


def test_importing_the_registry_imports_no_client() -> None:
    code = (
        "import sys; from replay.seams import registry; registry.install(print);"
        "print(sorted({'httpx', 'httpx2', 'aiohttp', 'urllib3', 'requests', 'http.client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


MISSING = """
import json
from importlib import import_module
from replay.seams import registry
from replay.seams._seam import missing
targets = [(seam.name, target) for seam in registry.SEAMS for target in seam.targets]
print(json.dumps({f"{seam}-{target.module}": missing(import_module(target.module), target.needs)
                  for seam, target in targets}))
"""


@pytest.fixture(scope="module")
def lacking() -> dict[str, list[str]]:
    """What each library lacks, in a process where no test has installed a seam, which may hide what is there."""
    done = subprocess.run([sys.executable, "-c", MISSING], capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@each_target
def test_the_installed_library_fits(seam: Seam, target: Target, lacking: dict[str, list[str]]) -> None:
    assert lacking[f"{seam.name}-{target.module}"] == []


def test_a_library_that_does_not_fit_is_a_blind_spot(tmp_path: Path) -> None:
    (tmp_path / "httpx.py").write_text("__version__ = '9.9'\nclass HTTPTransport: pass\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from replay.seams import registry;"
        "registry.install(lambda what, why: print(what, '|', why)); import httpx; print(httpx.HTTPTransport.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    told, name = done.stdout.splitlines()
    assert told.startswith("seam | seam httpx doesn't fit httpx 9.9: HTTPTransport.handle_request, ")
    assert name == "HTTPTransport"


class _Anything:
    """Stands for the library object a method is called on."""

    sock = None
    auto_open = 1
    _closed = False


class _Spied(ModuleType):
    """A library module whose methods, those a seam patches, only note how they were called."""

    def __init__(self, real: ModuleType, paths: tuple[str, ...]) -> None:
        super().__init__(real.__name__)
        self.__dict__.update(real.__dict__)
        self.calls: list[tuple[Any, ...]] = []
        self.methods: list[str] = []
        for path in paths:
            owner, _, name = path.partition(".")
            original = inspect.getattr_static(getattr(real, owner), name, None)
            if "." not in name and (inspect.isfunction(original) or isinstance(original, property)):
                self._spy(owner, name, original)

    def _spy(self, owner: str, name: str, original: Any) -> None:
        def spy(*args: Any, **kwargs: Any) -> str:
            self.calls.append((*args, kwargs))
            return "what the original returned"

        async def spy_async(*args: Any, **kwargs: Any) -> str:
            return spy(*args, **kwargs)

        held = self.__dict__[owner]
        if not getattr(held, "spied", False):
            held = self.__dict__[owner] = type(owner, (), {"spied": True})
        replacement = (
            spy_async if inspect.iscoroutinefunction(inspect.unwrap(getattr(original, "fget", original))) else spy
        )
        setattr(held, name, property(replacement) if isinstance(original, property) else replacement)
        self.methods.append(f"{owner}.{name}")


PATCHED = {
    "httpx": "HTTPTransport.handle_request HTTPTransport.close HTTPTransport.__exit__ "
    "AsyncHTTPTransport.handle_async_request AsyncHTTPTransport.aclose AsyncHTTPTransport.__aexit__",
    "http.client": "HTTPConnection.connect HTTPConnection.send",
    "urllib3.connection": "HTTPConnection.connect HTTPConnection.send HTTPConnection.is_connected",
    "urllib3.connectionpool": "HTTPConnectionPool._get_conn HTTPConnectionPool._put_conn",
    "urllib3.poolmanager": "PoolManager.connection_from_pool_key PoolManager.clear",
    "aiohttp": "BaseConnector.connect BaseConnector.close TCPConnector.close",
}
PATCHED["httpx2"] = PATCHED["httpx"]


@pytest.mark.parametrize(("seam", "target"), [pair for pair in TARGETS if pair[1].module in PATCHED])
def test_without_a_lane_the_original_is_called_as_it_was(seam: Seam, target: Target) -> None:
    paths = tuple(PATCHED[target.module].split())
    module = _Spied(import_module(target.module), paths)
    import_module(seam.module).install(module)
    import_module(seam.module).install(module)  # once more changes nothing
    receiver, argument = _Anything(), object()
    for path in paths:
        owner, _, name = path.partition(".")
        method = inspect.getattr_static(getattr(module, owner), name)
        assert hasattr(getattr(method, "fget", method), "__replay_original__"), path
        module.calls.clear()
        if isinstance(method, property):
            assert method.fget is not None
            given: tuple[object, ...] = ()
            returned = method.fget(receiver)
        else:
            given = tuple(argument for _ in range(_arguments(path)))
            returned = method(receiver, *given)
        if inspect.iscoroutine(returned):
            returned = _finished(returned)
        assert returned in ("what the original returned", None)
        assert module.calls == [(receiver, *given, {})], path


def _arguments(path: str) -> int:
    return {"connect": 3 if path == "BaseConnector.connect" else 0, "send": 1, "__exit__": 3, "__aexit__": 3}.get(
        path.partition(".")[2], 1 if "handle" in path or "ws" in path else 0
    )


def _finished(coroutine: Any) -> Any:
    """The result of a coroutine that awaits nothing."""
    with pytest.raises(StopIteration) as ended:
        coroutine.send(None)
    return ended.value.value


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "seams.md").read_text() == markdown(), "run: python -m replay.seams._table > docs/seams.md"


_TRIED = [
    (seam.name, name, (int(major), int(minor)))
    for seam in registry.SEAMS
    for part in re.split(r",| and ", re.sub(r" against [^,]*", "", seam.tried))
    for name, major, minor in re.findall(r"([\w-]+) (\d+)\.(\d+)", part)
]


@pytest.mark.parametrize(("seam", "library", "tried"), _TRIED)
def test_the_installed_version_was_tried(seam: str, library: str, tried: tuple[int, int]) -> None:
    """A major version that is newer than what the table says fails here: try it, then say so there."""
    if library == "CPython":
        assert sys.version_info[:2] >= tried
        return
    try:
        installed = metadata.version(library)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{library} isn't installed: make setup, or pip install -e '.[dev,frameworks,sdks]'")
    assert int(installed.split(".")[0]) <= tried[0], f"{seam}: {library} {installed} is newer than the table"
