"""`docs/seams.md`, from the registry: `python -m replay.seams._table > docs/seams.md`."""

from __future__ import annotations

from replay.seams.registry import SEAMS

_INTRODUCTION = """\
# Seams

Made from `replay.seams.registry` by `python -m replay.seams._table > docs/seams.md`; a test checks that it is current.

A seam is where a library meets the world. It is installed when the library is imported, changes nothing without a
recording, and needs no annotation. A library in a version that a seam doesn't fit is a blind spot, named at the end of
`replay record` and in `replay show`.

| seam | covers | tried with | sync | async | streams | what is recorded |
|---|---|---|---|---|---|---|
"""
_EVENT = """
## An http event

The same from every client: `request` has the method, the URL and the headers as sent, `body` the bytes; `response` has
status, reason, headers and version; `pieces` are the body's bytes as they came, after transfer-decoding and before
content-decoding. GET, HEAD, OPTIONS and TRACE count as `read`, everything else as `write`.
An empty piece says that the program closed the stream there, before its end.

## A memory event

Its name says what was done: `redis.get`, `psycopg.execute`, `notes.get` (of `replay.memory`). `request` has `store` (an
address without password, where the name doesn't say which), `key` or `keys` where there are any, and the other
arguments as `args`; of databases `query` and `params`. `response` is what was read, as the store sent it.
`replay.semantics.memory` reads events of all stores as accesses: store, key, what was done, value.
"""


def markdown() -> str:
    """The page."""
    rows = [
        f"| {seam.name} | {seam.covers} | {seam.tried} | "
        + " | ".join("yes" if way in seam.ways else "–" for way in ("sync", "async", "stream"))
        + f" | {seam.records} |\n"
        for seam in SEAMS
    ]
    sections = [f"\n## {seam.name}\n\n" + "".join(f"- {limit}\n" for limit in seam.limits) for seam in SEAMS]
    return "".join([_INTRODUCTION, *rows, _EVENT, *sections])


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201 - what it is for
