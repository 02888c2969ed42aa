"""A table at the end of a run: tests hand in rows with `record_property("table: <title>", {column: value})`."""

from __future__ import annotations

from typing import Any, cast

import pytest

_PREFIX = "table: "


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what the tests measured, one table for each title; rows come in from all workers."""
    for title, rows in sorted(_rows(terminalreporter).items()):
        columns = list(dict.fromkeys(column for row in rows for column in row))
        lines = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
        terminalreporter.write_sep("=", title)
        for first, *rest in lines:
            cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
            terminalreporter.write_line("  ".join(cells))


def _rows(terminalreporter: pytest.TerminalReporter) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            if getattr(report, "when", "") != "call":
                continue
            for name, row in cast("list[tuple[str, Any]]", report.user_properties):
                if name.startswith(_PREFIX):
                    found.setdefault(name.removeprefix(_PREFIX), []).append(row)
    for rows in found.values():
        rows.sort(key=lambda row: str(next(iter(row.values()))))
    return found
