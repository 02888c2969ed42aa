"""What the recording did not see, and how anyone can get this report, and the run itself, again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

from replay.cassette.keys import fingerprint
from replay.model.visible import one_line
from replay.queries import facts
from replay.queries.shapes import mapping
from replay.queries.words.mcp import change
from replay.report.incident import Incident
from replay.report.markup import Child, Html, h, said
from replay.report.parts import at, section

_MOST: Final = 100


def unseen(found: Incident) -> Html:
    """Gaps, blind spots, damage."""
    read = found.contents
    gaps = [h("li", at(gap.event), " ", said(gap.name, 80), ": ", said(gap.reason, 300)) for gap in read.gaps[:_MOST]]
    spots = [
        h("li", said(spot.what, 60), ": ", said(spot.detail, 300), f" ×{spot.count}" if spot.count > 1 else None,
          [" at ", said(spot.site, 160)] if spot.site else None)
        for spot in read.blind_spots[:_MOST]
    ]  # fmt: skip
    changes = [h("li", said(change(each), 400)) for each in read.tool_changes[:_MOST]]
    unfinished = facts.unfinished(read)
    whole = h("p", h("strong", "The recording isn't whole. "), said(unfinished, 600))
    said_: list[Child] = [
        h("div", whole, cls="note warn") if unfinished else None,
        [h("h3", "Gaps: seen, but not stored"), h("ul", gaps)] if gaps else None,
        [h("h3", "Blind spots: happened, but no recorder saw it"), h("ul", spots)] if spots else None,
        [h("h3", "Tools whose description changed"), h("ul", changes)] if changes else None,
    ]  # fmt: skip
    lead = "What follows was not recorded, or not wholly. Conclusions of this report can't rest on it."
    if not (unfinished or gaps or spots):
        lead = "Nothing is known to be missing: no gaps, no blind spots, the recording is whole."
    return section("unseen", "What this recording did not see", said_, lead=lead)


def again(found: Incident) -> Html:
    """Commands, digest, versions, and whether the file is what was written."""
    lead = "Whoever has the recording can check this report, and execute the run again: offline, touching nothing."
    if found.imported:
        lead = "Whoever has the recording can check this report. It was imported: it has no program to execute again."
    return section(
        "reproduce", "How to reproduce",
        h("pre", h("code", [f"{line}\n" for line in _commands(found)]), cls="commands", tabindex=0),
        h("dl", [h("div", h("dt", name), h("dd", value)) for name, value in _proofs(found)], cls="facts"), lead=lead,
    )  # fmt: skip


def _commands(found: Incident) -> Iterator[str]:
    name = shlex.quote(one_line(found.cassette.path.name))
    yield "pip install agent-replay"
    yield f"replay verify {name}"
    if not found.imported:
        yield f"replay run {name}"
    yield f"replay show {name}"
    if found.at is not None:
        yield f"replay why {name} {found.at}"
        if found.window is not None:
            yield f"replay context {name} {found.window.event}"
    yield f"replay triage {name}"


def _proofs(found: Incident) -> Iterator[tuple[str, Child]]:
    header: Mapping[str, Any] = found.cassette.header
    yield "Cassette", said(found.cassette.path.name, 200)
    yield "Id", said(found.cassette.id, 60)
    yield "SHA-256 of the file", h("code", found.digest or "not a local file")
    yield from _checked(found)
    made = mapping(header.get("environment"))
    python = [said(made.get(key), 60) for key in ("implementation", "python", "platform") if made.get(key)]
    if python:
        yield "Recorded with", [[" " if n else "", each] for n, each in enumerate(python)]
    recorder = mapping(made.get("distributions")).get("agent-replay")
    if recorder:
        yield "Recorder", ["agent-replay ", said(recorder, 30)]
    git = mapping(header.get("git"))
    if git.get("commit"):
        yield "Commit", [said(git["commit"], 60), " with uncommitted changes" if git.get("dirty") else None]
    tags = [said(f"{key}={value}", 80) for key, value in mapping(header.get("tags")).items()]
    if tags:
        yield "Tags", [[", " if n else "", each] for n, each in enumerate(tags[:20])]


def _checked(found: Incident) -> Iterator[tuple[str, Child]]:
    report = found.integrity
    if report is None:
        yield "Integrity", h("b", "could not be checked")
        return
    if report.intact:
        whole = "every checksum fits" + (", and the hash chain" if report.chain else "")
        yield "Integrity", f"{whole}; the recording is {'sealed' if report.status == 'sealed' else 'not sealed'}"
    else:
        yield "Integrity", [h("b", "not intact: "), said(report.detail, 300)]
    if report.chain:
        yield "Hash chain", h("code", report.chain)
    if not report.signatures:
        yield "Signature", "none: whoever can write the file could have made all of it"
    for each in report.signatures:
        state = {
            True: "genuine, by the key ",
            False: "NOT genuine, claims the key ",
            None: "not checked, claims the key ",
        }[each.genuine]
        yield (
            "Signature",
            [state, h("code", fingerprint(each.key)), "; replay verify --key says whether that is the right one"],
        )
