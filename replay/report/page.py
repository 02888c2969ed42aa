"""The file: one page with its style and script in it, which asks the network for nothing and runs nothing else.

The policy (CSP) names its style and its script by their digests: nothing that was recorded could run, had it got into
the page. Trusted types forbid that text becomes markup in the script, too.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256
from importlib.resources import files

from replay.report import path, proof, reasons, rows, summary, window, world
from replay.report.incident import Incident
from replay.report.markup import Child, Html, h
from replay.report.parts import at

CONTENTS: Sequence[tuple[str, str]] = (
    ("summary", "Summary"),
    ("path", "What happened"),
    ("why", "Why"),
    ("hypotheses", "What kind of failure"),
    ("owners", "Who owns it"),
    ("context", "What the model had read"),
    ("memory", "Memory"),
    ("effects", "Effects on the world"),
    ("expected", "Expected behaviour"),
    ("unseen", "What this recording did not see"),
    ("reproduce", "How to reproduce"),
    ("events", "All events"),
)


def page(found: Incident) -> str:
    """The whole file."""
    style, script = _text("style.css"), _text("script.js")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"style-src 'sha256-{_digest(style)}'",
            f"script-src 'sha256-{_digest(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
    title = summary.heading(found)
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=policy),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("meta", name="color-scheme", content="light dark"),
        h("meta", name="referrer", content="no-referrer"),
        h("meta", name="robots", content="noindex"),
        h("title", found.wanted.title or f"Incident report: {summary.VERDICTS[found.triage.verdict][0]}"),
        Html(f"<style>{style}</style>"),
    )
    body = h(
        "body",
        h("a", "Skip to the report", href="#report", cls="skip"),
        _banner(title, found),
        _contents(),
        h("main", _sections(found), id="report", tabindex=-1),
        _footer(),
        Html(f"<script>{script}</script>"),
    )
    return f"<!doctype html>\n{h('html', head, body, lang='en')}\n"


def _sections(found: Incident) -> list[Html]:
    return [
        summary.summary(found),
        path.path(found),
        reasons.why(found),
        reasons.hypotheses(found),
        reasons.owners(found),
        window.window(found),
        world.memory(found),
        world.effects(found),
        world.expected(found),
        proof.unseen(found),
        proof.again(found),
        rows.events(found),
    ]


def _banner(title: Child, found: Incident) -> Html:
    about = None if found.at is None else ["About ", at(found.at), ", the decision in question."]
    says = " was recorded: the program, the model or a stranger wrote it. It is quoted, not said by this report."
    key = ["Text ", h("span", "set like this", cls="rec"), says]
    return h(
        "header",
        h("p", "Incident report", cls="over"),
        h("h1", title),
        h("p", about, cls="lead") if about else None,
        h("p", key, cls="key"),
    )


def _contents() -> Html:
    links = [h("li", h("a", name, href=f"#{key}")) for key, name in CONTENTS]
    return h(
        "nav",
        h("h2", "Contents", id="contents-heading"),
        h("ol", links),
        cls="contents",
        aria_labelledby="contents-heading",
    )


def _footer() -> Html:
    from importlib.metadata import PackageNotFoundError, version

    try:
        made = version("agent-replay")
    except PackageNotFoundError:  # run from a source tree that isn't installed
        made = "from source"
    return h(
        "footer",
        h(
            "p",
            f"Made by replay report, agent-replay {made}, from the recording alone. It asks nothing of any network.",
        ),
    )


def _text(name: str) -> str:
    return files("replay.report").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(sha256(text.encode()).digest()).decode()
