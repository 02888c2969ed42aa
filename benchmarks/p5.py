"""P5: kill -9 at random instants (`benchmarks.killed`): a sample here, a hundred and more in `make torture`."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.harness import Row, main, scratch
from benchmarks.killed import kill

KILLS = int(os.environ.get("KILLS", "20"))


def rows() -> list[Row]:
    with scratch() as path:
        found = kill(KILLS, Path(path))
    what = (
        ("kill -9: cassettes that open", found.readable, found.kills, f"of {found.kills}", "all"),
        ("responses delivered that are missing", found.missing, 0, f"of {found.delivered}", "none"),
        ("replayed up to the cut, printing the same", found.replayed, found.kills, f"of {found.kills}", "all"),
    )
    return [
        Row("P5", name, "", count, None, None, "", f"{count} {of}", promised, count == wanted)
        for name, count, wanted, of, promised in what
    ]


if __name__ == "__main__":
    main(rows)
