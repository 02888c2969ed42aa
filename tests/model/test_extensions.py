"""What other packages add is found by the names of its groups."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from replay.model.extensions import added


def test_found_and_loaded_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "some-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[replay.exporters]\nlines = some_exporter_of_a_test:run\n")
    (tmp_path / "some_exporter_of_a_test.py").write_text("def run(): return 7\n")
    assert "lines" not in added("exporters")
    monkeypatch.syspath_prepend(tmp_path)  # pyright: ignore[reportUnknownMemberType]
    found = added("exporters")
    assert "some_exporter_of_a_test" not in sys.modules
    assert found["lines"]()() == 7
    assert "lines" not in added("importers")
