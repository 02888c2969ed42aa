"""`replay export json`: a line for each frame. Read frame by frame: memory doesn't grow with the cassette."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from replay.cassette import frame as f
from replay.cassette.cassette import Cassette
from replay.interop.formats import created
from replay.interop.json.frames import FORMAT, line
from replay.model.errors import CassetteDamaged


def export(cassette: Cassette, out: Path) -> dict[str, Any]:
    """The cassette at `out`: lines (JSONL), or where that ends in `.json` an array with one item on each line.

    Raises:
        CassetteExists and what else creating it raises.
    """
    array = out.suffix == ".json"
    frames = 0
    with os.fdopen(created(out), "w", encoding="ascii") as file:
        for each in documents(cassette):
            file.write(("[\n" if frames == 0 else ",\n") if array else "\n" * (frames > 0))
            file.write(json.dumps(each, allow_nan=False, separators=(",", ":")))
            frames += 1
        file.write("\n]\n" if array else "\n")
    return {"frames": frames, "events": len(cassette.events)}


def documents(cassette: Cassette) -> Iterator[dict[str, Any]]:
    """What it has, in its order: what it is, its frames, where it is damaged, and its signatures."""
    reader = cassette.reader
    yield {"format": FORMAT, "status": cassette.status}
    damage = cassette.damage
    what = None if damage is None else damage.reason
    offset = 0 if damage is None else damage.offset
    try:
        for record in reader.frames():
            if record[0] not in f.ENVELOPES:
                yield line(record)
    except CassetteDamaged as error:
        what, offset = error.what, error.offset
    if what is not None:
        yield {"damage": what, "offset": offset}
    for each in reader.signatures:
        yield {"signature": {name: bytes(part).hex() for name, part in each.items()}}
