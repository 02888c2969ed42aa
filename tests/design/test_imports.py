"""Nothing imports in a circle. The layers are held by `make layers`, which knows nothing of circles inside a layer."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest


def circle(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import each other, the first one again at the end; empty where there are none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_is_longer_than_600_lines() -> None:
    root = Path(__file__).parents[2]
    sources = [path for top in ("replay", "cli", "tests", "benchmarks", "evals") for path in (root / top).rglob("*.py")]
    lengths = {str(path.relative_to(root)): path.read_text().count("\n") for path in sources}
    assert {path: length for path, length in lengths.items() if length > 600} == {}


def test_no_circle_when_the_program_runs() -> None:
    """Also no import inside a function; annotations may name each other's classes."""
    graph = grimp.build_graph("replay", "replay_cli", exclude_type_checking_imports=True)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 400
    assert circle(imports) == []


@pytest.mark.parametrize("more", [{"c": {"a"}}, {"b": {"b"}}])
def test_a_circle_is_found(more: dict[str, set[str]]) -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set(), **more})
