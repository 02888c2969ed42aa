"""Which recording is whose child: by where it lies and by what its header says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from replay.cassette.directory import children, children_of, parent_of
from replay.cassette.family import Child, ancestry, family, header_at
from tests.cassette.recordings import begin


def write(path: Path, **header: Any) -> Path:
    """A recording without events."""
    path.parent.mkdir(exist_ok=True)
    writer = begin(path, **header)
    writer.flush()
    writer.close()
    return path


def id_of(path: Path) -> str:
    header = header_at(path)
    assert header is not None
    return str(header["id"])


def test_children_come_by_number_and_what_is_no_number_comes_last(tmp_path: Path) -> None:
    parent = write(tmp_path / "run.cassette")
    assert children(parent) == []
    names = ["10.cassette", "2.cassette", "beside.cassette", "1.cassette"]
    for name in names:
        write(tmp_path / "run.d" / name)
    assert children_of(parent) == tmp_path / "run.d"
    assert [path.name for path in children(parent)] == ["1.cassette", "2.cassette", "10.cassette", "beside.cassette"]


def test_a_parent_lies_beside_the_folder(tmp_path: Path) -> None:
    child = write(tmp_path / "run.d" / "1.cassette")
    assert parent_of(child) is None  # nobody's: the parent's recording is gone
    parent = write(tmp_path / "run.cassette")
    assert parent_of(child) == parent
    assert parent_of(parent) is None


def test_a_child_says_whose_it_is_and_how_it_began(tmp_path: Path) -> None:
    parent = write(tmp_path / "run.cassette")
    link = {"cassette": id_of(parent), "event": 3, "how": "fork"}
    child = write(tmp_path / "run.d" / "1.cassette", parent=link, pid=17)
    found = family(parent, id_of(parent))
    assert [(one.path, one.how, one.event, one.pid) for one in found] == [(child, "fork", 3, 17)]
    assert isinstance(found[0], Child)
    header = header_at(child)
    assert header is not None
    assert ancestry(child, header) == parent
    assert ancestry(child, {"parent": {"cassette": "another"}}) is None
    assert ancestry(parent, {}) is None


def test_what_is_not_its_child_is_left_out(tmp_path: Path) -> None:
    parent = write(tmp_path / "run.cassette")
    write(tmp_path / "run.d" / "1.cassette", parent={"cassette": "another", "how": "exec", "event": None})
    write(tmp_path / "run.d" / "2.cassette")
    write(tmp_path / "run.d" / "3.cassette", parent="nonsense")
    (tmp_path / "run.d" / "4.cassette").write_bytes(b"no recording")
    link = {"cassette": id_of(parent), "event": "nonsense", "how": "beside"}
    mine = write(tmp_path / "run.d" / "5.cassette", parent=link)
    assert header_at(tmp_path / "run.d" / "4.cassette") is None
    assert [(one.path, one.event, one.pid) for one in family(parent, id_of(parent))] == [(mine, None, None)]
