"""`python -m benchmarks [P1 P6 …]`: one table, and `benchmarks/results.json`."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROMISES = ("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "PLUGIN")
HEADS = ("", "what", "ours", "floor", "peer", "ratio", "found", "promised", "met")


def main(names: list[str]) -> int:
    """Run the promises named, all by default; 1 where one of them has no figures."""
    wanted = [name.upper() for name in names] or list(PROMISES)
    unknown = [name for name in wanted if name not in PROMISES]
    if unknown:
        print(f"no such row: {' '.join(unknown)}; there are {' '.join(PROMISES)}", file=sys.stderr)
        return 2
    rows: list[dict[str, Any]] = []
    failed = False
    for name in wanted:
        print(f"{name} …", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", f"benchmarks.{name.lower()}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent, check=False)
        if done.returncode:
            failed = True
            continue
        rows += json.loads(done.stdout)
    print(table(rows))
    about = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    (HERE / "results.json").write_text(json.dumps({**about, "load": os.getloadavg(), "rows": rows}, indent=1) + "\n")
    return int(failed)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as aligned text."""
    lines = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADS))]
    right = (2, 3, 4, 5)
    shown = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([shown[0], "-" * max(map(len, shown)), *shown[1:]])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    peer = "" if row["peer"] is None else f"{_number(row['peer'])} {row['by']}"
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}x"
    floor = "" if row["floor"] is None else _number(row["floor"])
    ours = f"{_number(row['ours'])} {row['unit']}"
    met = "yes" if row["met"] else "NO"
    return row["promise"], row["what"], ours, floor, peer, ratio, row["found"], row["promised"], met


def _number(value: float) -> str:
    if value == int(value) and value < 1000:
        return f"{value:.0f}"
    if value >= 10000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
