"""What a replay found, for people."""

from __future__ import annotations

from replay.launch.result import Run
from replay.model.verdict import Crossing, Divergence, Drift
from replay.model.visible import one_line, plural

_CHANGES_SHOWN = 8


def verdict_lines(run: Run, times: int, *, lenient: bool, verbose: bool, until: int | None = None) -> list[str]:
    """The verdict, most important first; lines may be several of a multi-line change. `until`: where it was to stop.

    An escape comes before the divergence: what was refused is, as a rule, why the program then went another way.
    """
    lines: list[str] = []
    for escape in run.escapes:
        where = "" if escape.site is None else f" at {escape.site}"
        lines.append(f"✗ escape refused: {escape.what}{where}: {escape.detail}")
    if run.divergence is not None:
        lines += _divergence(run.divergence, run.events, verbose=verbose, escaped=bool(run.escapes))
    elif run.gap is not None:
        lines.append(f"? can't go on after {plural(run.events, 'event')}: {run.gap}")
    elif not run.escapes:
        lines.append(_same(run, times, lenient=lenient, until=until))
    if run.by_answers is not None:
        lines.append("  the tools were run again: answers alone weren't enough")
        lines.append(f"  (by answers alone: {run.by_answers.reason})")
    for use in run.holes:
        where = "" if use.site is None else f" at {use.site}"
        lines.append(f"  let out by --allow {use.hole}: {use.what}{where}: {use.detail}")
    if run.drift:
        lines += _drift(run)
    if run.blind_spots:
        what = "blind spot" if run.blind_spots == 1 else "blind spots"
        lines.append(f"  not vouched for: {run.blind_spots} {what} of the recording (replay show lists them)")
    return lines


def again_line(first: Run) -> str:
    """Said between two attempts; what the program prints comes a second time."""
    found = first.divergence
    why = f"diverged: {found.reason}" if found is not None else f"couldn't go on: {first.gap or 'it tried to get out'}"
    return f"with its tools only answered, the program {why}; once more, with its tools run"


def _drift(run: Run) -> list[str]:
    """Each change once, with the events that it came up in; and what it leaves of the evidence."""
    lines = [f"  drift: {plural(len(run.drift), 'request')} differed and got the recorded answer all the same"]
    same: dict[str, list[Drift]] = {}
    for each in run.drift:
        same.setdefault(each.change, []).append(each)
    for change, found in list(same.items())[:_CHANGES_SHOWN]:
        first, *more = found
        where = "" if first.site is None else f" at {first.site}"
        lines.append(f"    {one_line(f'event {first.event}  {first.what}{where}: {change}')}")
        if more:
            events = ", ".join(str(each.event) for each in more[:_CHANGES_SHOWN])
            rest = ", …" if len(more) > _CHANGES_SHOWN else ""
            lines.append(f"      and again in {plural(len(more), 'event')}: {events}{rest}")
    if len(same) > _CHANGES_SHOWN:
        lines.append(f"    … {len(same) - _CHANGES_SHOWN} more changes (--json has all)")
    if run.evidence_until is None:
        lines.append("  nothing was asked after an answer to another question: all of it is evidence")
    else:
        lines.append(
            f"  evidence up to event {run.evidence_until}: from there on it rests on answers to other questions than "
            "were asked (replay fork asks them)"
        )
    return lines


def _same(run: Run, times: int, *, lenient: bool, until: int | None) -> str:
    often = f", {times} times" if times > 1 else ""
    if run.drift and lenient:
        return f"~ not the same execution, but it reached the end: {plural(run.events, 'event')}{often}"
    compared = _compared(run)
    if run.cut and run.events + run.inside == until:
        return f"✓ identical so far: {compared}{often}; stopped before event {until}, as asked"
    if run.cut and not run.events:
        return "? the recording stops before its first event (unfinished): there was nothing to compare"
    if run.cut:
        return f"✓ identical up to the cut: {compared}{often}; the recording stops there (unfinished)"
    ended = "" if run.exit_code in (0, None) else f", exit code {run.exit_code} as recorded"
    sandbox = "only what was allowed left the sandbox" if run.holes else "nothing left the sandbox"
    return f"✓ identical: {compared}{often}{ended}; {sandbox}"


def _compared(run: Run) -> str:
    """How many events; and how many weren't looked at, since they lie inside tools that were only answered."""
    if not run.inside:
        return plural(run.events, "event")
    return f"{plural(run.events, 'event')} ({run.inside} more inside {plural(run.bodies, 'tool')} not run again)"


def _divergence(found: Divergence, events: int, *, verbose: bool, escaped: bool) -> list[str]:
    where = "at the end" if found.event is None else f"at event {found.event}"
    lines = [f"✗ diverged {where}, after {plural(events, 'event')} alike: {found.reason}"]
    lines += _side("expected", found.expected, found.recorded_site)
    lines += _side("got", found.got, found.site)
    shown = found.changes if verbose else found.changes[:_CHANGES_SHOWN]
    if shown:
        lines.append("  what differs (- recorded, + now):")
        for change in shown:
            lines += [f"    {one_line(line)}" for line in change.split("\n")]
    if len(shown) < len(found.changes):
        lines.append(f"    … {len(found.changes) - len(shown)} more (--verbose shows all)")
    if escaped and found.cause != "code changed":
        lines.append("  likely cause: the escape above")
    elif found.why or found.cause != "unknown":
        lines.append(f"  likely cause: {found.cause}: {found.why}")
    if found.candidates:
        lines.append("  nearest recorded:")
        for near in found.candidates:
            lines.append(f"    event {near.event}  {near.score:.2f}  {one_line(near.what)}: {one_line(near.why)}")
    return lines


def _side(label: str, crossing: Crossing | None, site: str | None) -> list[str]:
    if crossing is None:
        return []
    lane = f" in lane {crossing.lane}" if crossing.lane else ""
    where = f" at {site}" if site else ""
    return [f"  {label + ':':<10}{crossing.what}{lane}{where}"]
