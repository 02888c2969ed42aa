"""Callbacks right after an import: once, whoever imports, and nothing is imported for them."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from replay.boundary.imports import on_import


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of the test's own, with `sub`, `broken` and a module that imports slowly enough to be waited for."""
    name = f"package_{tmp_path.name}".replace("-", "_")
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("value = 1\n")
    (folder / "sub.py").write_text("value = 2\n")
    (folder / "broken.py").write_text("raise ValueError('while importing')\n")
    (folder / "data.txt").write_text("data")
    (folder / "outer.py").write_text("from . import sub\nvalue = sub.value\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    yield name
    for module in [each for each in sys.modules if each.split(".")[0] == name]:
        del sys.modules[module]


def test_later(package: str) -> None:
    seen: list[object] = []
    on_import(package, lambda module: seen.append((module.__name__, module.value)))
    assert package not in sys.modules
    assert seen == []
    module = importlib.import_module(package)
    assert seen == [(package, 1)]
    importlib.import_module(package)
    importlib.reload(module)
    assert seen == [(package, 1)]


def test_already_imported(package: str) -> None:
    module = importlib.import_module(package)
    seen: list[ModuleType] = []
    on_import(package, seen.append)
    assert seen == [module]


def test_submodules(package: str) -> None:
    seen: list[str] = []
    on_import(f"{package}.sub", lambda module: seen.append(module.__name__))
    importlib.import_module(package)
    assert seen == []
    importlib.import_module(f"{package}.outer")
    assert seen == [f"{package}.sub"]


def test_two_callbacks_in_their_order(package: str) -> None:
    seen: list[int] = []
    on_import(package, lambda _: seen.append(1))
    on_import(package, lambda _: seen.append(2))
    importlib.import_module(package)
    assert seen == [1, 2]


def test_the_program_sees_the_loader_it_expects(package: str) -> None:
    plain = importlib.import_module(f"{package}.sub")
    on_import(f"{package}.outer", lambda _: None)
    module = importlib.import_module(f"{package}.outer")
    assert module.__spec__ is not None
    assert type(module.__loader__) is type(plain.__loader__) is type(module.__spec__.loader)
    assert module.__spec__.origin == module.__file__


def test_an_import_that_fails_is_as_ever_and_may_be_tried_again(package: str, tmp_path: Path) -> None:
    seen: list[str] = []
    on_import(f"{package}.broken", lambda module: seen.append(module.__name__))
    with pytest.raises(ValueError, match="while importing"):
        importlib.import_module(f"{package}.broken")
    assert seen == []
    (tmp_path / package / "broken.py").write_text("value = 'mended, and longer than before'\n")
    importlib.invalidate_caches()
    importlib.import_module(f"{package}.broken")
    assert seen == [f"{package}.broken"]


def test_what_nobody_has(package: str) -> None:
    seen: list[object] = []
    on_import(f"{package}.nothing", seen.append)
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        importlib.import_module(f"{package}.nothing")
    assert seen == []


def test_a_callback_within_the_import_of_its_module(package: str, tmp_path: Path) -> None:
    """Asked for while the module is half imported: it is called when the module is whole."""
    (tmp_path / package / "half.py").write_text(
        "from replay.boundary.imports import on_import\n"
        "seen = []\n"
        "on_import(__name__, lambda module: seen.append(module.__name__))\n"
        "early = list(seen)\n"
    )
    on_import(f"{package}.half", lambda _: None)
    module = importlib.import_module(f"{package}.half")
    assert module.early == []
    assert module.seen == [f"{package}.half"]


def test_once_among_threads(package: str) -> None:
    seen: list[str] = []
    on_import(package, lambda module: seen.append(module.__name__))
    barrier, values = threading.Barrier(8), list[int]()

    def load() -> None:
        barrier.wait()
        values.append(importlib.import_module(package).value)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [package]
    assert values == [1] * 8


def test_resources_are_found_through_the_module(package: str) -> None:
    from importlib.resources import files

    on_import(package, lambda _: None)
    importlib.import_module(package)
    assert (files(package) / "data.txt").read_text() == "data"
