"""The incident report: one page that needs no network and no tool, of a recording that nobody has to trust.

with replay.load("run.cassette") as cassette:
    document, found = report(cassette, Wanted(title="The desk wrote to a stranger"))
Path("incident.html").write_text(document, "utf-8")
"""

from __future__ import annotations

from replay.cassette.cassette import Cassette
from replay.report.incident import Incident, Wanted, collect
from replay.report.page import page

__all__ = ["Incident", "Wanted", "collect", "page", "report"]


def report(cassette: Cassette, wanted: Wanted | None = None) -> tuple[str, Incident]:
    """The page as HTML, and what it was made of.

    Raises:
        UsageError: there is no such event as `wanted.at`. CassetteDamaged: not even the header can be read.
    """
    found = collect(cassette, wanted or Wanted())
    return page(found), found
