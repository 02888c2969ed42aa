"""What is in a vcr file, whatever wrote it: YAML or JSON, gzipped or not, as its list of interactions.

Safe: plain YAML only (libyaml where it is installed), with the tags that Python 2 gave to texts. Bounded: of what is
packed a hundred times as much is unpacked, `MOST` bytes at most, and of values `NODES`, those counted again that
aliases stand for, by which a short file says a long thing.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import yaml

from replay.interop.formats import data, room
from replay.model.errors import CassetteUnreadable
from replay.semantics.loose import arr, obj, objs

MOST: Final = 256 << 20
NODES: Final = 500_000
DEPTH: Final = 500

_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):  # type: ignore[misc]
    """The safe loader, and `u'…'` of Python 2."""


for _tag in ("unicode", "str"):
    _Loader.add_constructor(f"tag:yaml.org,2002:python/{_tag}", _BASE.yaml_constructors["tag:yaml.org,2002:str"])


def interactions(path: Path) -> list[dict[str, Any]]:
    """The interactions in a file.

    Raises:
        CassetteMissing, CassetteUnreadable: there is none, or it isn't vcr's.
    """
    raw = unpacked(path)
    try:
        document: Any = _json(raw) if raw.lstrip()[:1] == b"{" else _loaded(raw.decode())
        _count(document, {})
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise CassetteUnreadable(f"can't read {path}: {_one_line(error)}") from None
    if isinstance(document, list):
        raise CassetteUnreadable(
            f"{path} is of vcrpy before 1.0", hint="`python -m vcr.migration` of vcrpy 4 converts it"
        )
    found: Any = obj(document).get("interactions")
    items = objs(found)
    if not isinstance(found, list) or len(items) < len(arr(found)):
        raise CassetteUnreadable(
            f"{path} has no list of `interactions`: it isn't vcr's", hint="`replay import chat` reads transcripts"
        )
    return items


def unpacked(path: Path) -> bytes:
    """A file's bytes, out of gzip where they are in it.

    Raises:
        CassetteMissing, CassetteUnreadable: it can't be read, or is more than `MOST`.
    """
    raw = data(path)
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    unpacker = zlib.decompressobj(31)
    try:
        most = room(len(raw), MOST)
        whole = unpacker.decompress(raw, most)
    except zlib.error as error:
        raise CassetteUnreadable(f"can't read {path}: {error}") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise CassetteUnreadable(f"{path} was cut, or unpacks to more than {most >> 20} MB")
    return whole


def _json(raw: bytes) -> Any:
    """What it has at most is counted first: a list takes twenty times the room of its brackets."""
    if raw.count(b"[") + raw.count(b"{") > 4 * NODES:  # there are some in texts, too
        raise ValueError(f"it has more than {NODES} values")
    return json.loads(raw)


def _loaded(text: str) -> Any:
    """libyaml's loader recurses on the C stack, and takes the process with it: so its events are counted first."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if number > 2 * NODES:  # a map is two events
            raise ValueError(f"it has more than {NODES} values")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise ValueError(f"nested deeper than {DEPTH}")
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError):
        raise
    except Exception as error:  # its constructors of dates, numbers and bytes raise what they come upon
        raise ValueError(f"a value that is none: {error}") from None


def _count(value: Any, known: dict[int, int | None]) -> int:
    """How many values it takes when it is written out. Raises ValueError where that is too many."""
    parts: Collection[Any] = obj(value).values() or arr(value)
    if not parts:
        return 1
    where = id(value)
    if where in known:
        total = known[where]
        if total is None:
            raise ValueError("something in it contains itself")
        return total
    known[where] = None
    total = 1
    for part in parts:
        total += _count(part, known)
        if total > NODES:
            raise ValueError(f"it says more than {NODES} values")
    known[where] = total
    return total


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
