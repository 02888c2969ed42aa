"""Tables that are printed as they come: nothing is wider than the terminal, and folding loses nothing."""

from __future__ import annotations

import io
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from replay_cli.render.rows import Cell, Said, clipped, print_rows

TEXT = st.text(st.sampled_from("ab 漢é"), max_size=60)
SAID = st.lists(st.lists(st.tuples(TEXT, st.sampled_from(["", "dim"])), min_size=1, max_size=3), min_size=1, max_size=3)
ROWS = st.lists(st.tuples(st.tuples(st.integers(0, 10**6).map(str), st.text("xy", max_size=8)), SAID), max_size=6)


def printed(rows: list[tuple[tuple[str, str], Said]], *, fold: bool, width: int = 60, colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, color_system="standard" if colour else None)
    cells: list[tuple[list[Cell], Said]] = [([(number, ""), (kind, "bold")], said) for (number, kind), said in rows]
    print_rows(console, ("event", "kind", "what"), cells, fold=fold)
    return out.getvalue()


@given(rows=ROWS, fold=st.booleans())
def test_nothing_is_wider_than_the_terminal(rows: list[tuple[tuple[str, str], Said]], fold: bool) -> None:
    lines = printed(rows, fold=fold).splitlines()
    assert all(cell_len(line) <= 60 for line in lines)
    assert len(lines) >= sum(len(said) for _, said in rows)


@given(rows=ROWS)
def test_folding_loses_nothing(rows: list[tuple[tuple[str, str], Said]]) -> None:
    shown = "".join(printed(rows, fold=True).split())
    for _, said in rows:
        for line in said:
            wanted = "".join(text for text, _ in line)
            assert "".join(wanted.split()) in shown


def test_columns_grow_only_wider() -> None:
    rows: list[tuple[tuple[str, str], Said]] = [((str(n * 997), "k"), [[("x", "")]]) for n in range(2500)]
    lines = printed(rows, fold=False).splitlines()
    assert len(lines) == 2501
    places = [line.index("x", 3) for line in lines[1:]]
    assert all(one <= other for one, other in pairwise(places))


def test_colours() -> None:
    rows: list[tuple[tuple[str, str], Said]] = [(("1", "k"), [[("a", "dim"), ("b", "")]])]
    assert "\x1b[1mk\x1b[0m    \x1b[2ma\x1b[0mb\n" in printed(rows, fold=False, colour=True)
    assert "\x1b" not in printed(rows, fold=False)


def test_clipped() -> None:
    assert clipped("漢漢漢", 6) == "漢漢漢"
    assert clipped("漢漢漢", 5) == "漢漢…"
    assert clipped("m/t1/t2/t3/t4", 12) == "m/t1/t2/t3/…"
