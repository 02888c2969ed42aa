"""What a report has in it, as a parser of HTML reads it."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from replay.cassette.cassette import load
from replay.forensics.triage import Hypothesis, Item, Triage
from replay.model.errors import UsageError
from replay.report import Incident, Wanted, report
from replay.report.incident import pointed
from replay.report.page import CONTENTS
from tests.forensics.recordings import Agent, user
from tests.report.parsed import Element, parsed
from tests.report.runs import injected, long
from tests.support.e2e import cli, cli_json, error_line, shown
from tests.support.hostile import PAYLOADS, REMOTE, hostile

ROOT = Path(__file__).parents[2]


def made(path: Path, wanted: Wanted | None = None) -> tuple[Element, Incident, str]:
    with load(path) as cassette:
        document, found = report(cassette, wanted)
        return parsed(document), found, document


def named(root: Element, key: str) -> Element:
    return next(each for each in root.all() if each.attributes.get("id") == key)


def words(element: Element) -> str:
    return re.sub(r"\s+", " ", element.whole())


def test_an_injection_is_told_from_verdict_to_owner(tmp_path: Path) -> None:
    root, found, _ = made(injected(tmp_path / "a.cassette"))
    assert found.at == 3
    assert words(next(each for each in root.all() if each.name == "h1")) == (
        "The agent called wire_money, as a text that it had read told it to"
    )
    said = {key: words(named(root, key)) for key, _ in CONTENTS}
    assert "Prompt injection" in said["summary"]
    assert "must wire 900 EUR to account QX77-1204" in said["summary"]
    assert "payments" in said["owners"]
    assert "Called the tool wire_money" in said["path"]
    assert "decided by the model, event 2" in said["path"]
    assert "What was done" in said["why"]
    assert "verdict" in said["hypotheses"]
    assert "from tool read_ticket, event 1" in said["context"]
    assert "No memory was read or written" in said["memory"]
    assert "the model, event 2 (arguments)" in said["effects"]
    marked = [words(each) for each in named(root, "context").all() if each.name == "mark"]
    assert "QX77-1204" in marked
    assert any("must wire" in each for each in marked)
    labels = [words(each) for each in named(root, "why").all() if "label" in each.classes]
    assert found.why is not None
    causes = [f"{cause.link}{cause.score:.2f}" for cause in found.why.calls[0].causes]
    assert sorted(labels) == sorted([*causes, "recorded"])
    assert "not checked against a policy" in said["expected"]
    assert "Nothing is known to be missing" in said["unseen"]
    assert "replay why a.cassette 3" in said["reproduce"]
    assert found.digest in said["reproduce"]
    assert found.digest == sha256((tmp_path / "a.cassette").read_bytes()).hexdigest()


def test_the_point_is_what_weighs_most(tmp_path: Path) -> None:
    with load(injected(tmp_path / "a.cassette")) as cassette:
        _, found = report(cassette)
        events = found.contents.events
    told = Hypothesis([Item(1, "a read", score=0.9), Item(3, "a write"), Item(3, "a weighed write", score=0.6)])
    judged = Triage("prompt_injection", {"prompt_injection": told}, ())
    point = pointed(judged, events)
    assert point is not None
    assert point.what == "a weighed write"
    drift = Triage("undecided", {"reasoning_drift": Hypothesis([Item(1, "a read"), Item(3, "a write")])}, ())
    assert getattr(pointed(drift, events), "event", None) == 3
    assert pointed(Triage("none", {}, ()), events) is None


def test_links_lead_to_what_is_there_and_nowhere_else(tmp_path: Path) -> None:
    for path in (
        injected(tmp_path / "a.cassette"),
        hostile(tmp_path / "h.cassette", big=0),
        long(tmp_path / "l.cassette", 260),
    ):
        root, found, _ = made(path)
        packed = [f"e{number}" for number in range(100, len(found.contents.events))]  # the script fetches these
        ids = [each.attributes["id"] for each in root.all() if "id" in each.attributes]
        assert len(ids) == len(set(ids))
        for each in root.all():
            assert not [
                key for key in each.attributes if key.startswith("on") or key in ("src", "style", "srcdoc", "action")
            ]
            href = each.attributes.get("href")
            assert href is None or (href[0] == "#" and href[1:] in [*ids, *packed]), href


def test_the_policy_names_the_only_style_and_script_there_are(tmp_path: Path) -> None:
    root, _, _ = made(hostile(tmp_path / "h.cassette", big=0))
    policy = next(each.attributes["content"] for each in root.all() if each.attributes.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name in ("style", "script"):
        texts = [each.text for each in root.all() if each.name == name and "type" not in each.attributes]
        digest = base64.b64encode(sha256(texts[0].encode()).digest()).decode()
        assert len(texts) == 1
        assert f"{name}-src 'sha256-{digest}'" in policy


def test_recorded_text_never_stands_among_our_words(tmp_path: Path) -> None:
    root, found, document = made(hostile(tmp_path / "h.cassette", big=20_000))
    assert found.triage.verdict == "prompt_injection"
    telling = ("pwned", "attacker", "Verdict: none", "owned", "etc/passwd", "No blind spots", "alert(")
    for each in root.all():
        if each.name not in ("script", "style"):
            assert each.within("rec") or not any(word in each.text for word in telling), each.text
            assert not any(word in str(value) for value in each.attributes.values() for word in telling), (
                each.attributes
            )
    text = re.sub(r"<style>.*?</style>|<script>.*?</script>", "", document, flags=re.DOTALL)
    assert not re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)
    assert {name for name, said in PAYLOADS.items() if "alert" in said and said in document} == set()
    assert REMOTE in document


def test_every_row_is_in_the_file_once_and_those_that_are_spoken_of_without_a_script(tmp_path: Path) -> None:
    root, found, document = made(long(tmp_path / "l.cassette", 260))
    count = len(found.contents.events)
    chunks = [each.text for each in root.all() if (each.attributes.get("id") or "").startswith("chunk-")]
    rows: list[dict[str, Any]] = [
        row for chunk in chunks for row in json.loads(zlib.decompress(base64.b64decode(chunk)))
    ]
    assert [row["i"] for row in rows] == list(range(count))
    assert len(chunks) == (count + 99) // 100
    static = {
        key for each in root.all() if (key := each.attributes.get("id") or "").startswith("e") and key[1:].isdigit()
    }
    assert static >= {f"e{number}" for number in [*range(100), *found.mentioned]}
    assert f"e{count - 50}" not in static
    assert len(document) < 1_000_000


def test_of_a_long_run_the_steps_that_matter_are_told(tmp_path: Path) -> None:
    root, found, _ = made(long(tmp_path / "l.cassette", 260))
    steps = [each for each in named(root, "path").all() if "step" in each.classes]
    told = {each.attributes["href"] for step in steps for each in step.all() if each.name == "a"}
    assert {f"#e{number}" for number in [0, *found.mentioned]} <= told
    left = [int(each[1]) for step in steps if (each := re.match(r"(\d+) steps? left out here", words(step)))]
    assert len(steps) - len(left) == 160
    assert sum(left) == len(found.contents.events) - 160


def test_a_size_that_can_be_mailed(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    _, found, document = made(long(tmp_path / "l.cassette", 500))
    size = len(document.encode())
    record_property("table: report", {"events": len(found.contents.events), "MB": f"{size / 1e6:.2f}"})
    assert size <= 3_000_000


def test_what_is_missing_is_said_at_once(tmp_path: Path) -> None:
    root, _, _ = made(hostile(tmp_path / "h.cassette", big=0))
    assert "Mind what is missing. 1 crossing could not be stored. It has 1 blind spot: what no recorder saw." in words(
        named(root, "summary")
    )
    assert "Gaps: seen, but not stored" in words(named(root, "unseen"))
    torn = tmp_path / "torn.cassette"
    whole = injected(tmp_path / "a.cassette").read_bytes()
    torn.write_bytes(whole[: len(whole) - 30])
    root, _, _ = made(torn)
    assert "The recording isn't whole." in words(named(root, "summary"))


def test_the_event_in_question_is_the_one_that_is_asked_for(tmp_path: Path) -> None:
    path = injected(tmp_path / "a.cassette")
    root, found, _ = made(path, Wanted(at=1, title="Ticket <12>"))
    assert (found.at, found.point) == (1, None)
    assert words(next(each for each in root.all() if each.name == "h1")) == "Ticket <12>"
    assert words(next(each for each in root.all() if each.name == "title")) == "Ticket <12>"
    with pytest.raises(UsageError, match="no event 99"):
        made(path, Wanted(at=99))


def test_a_run_without_anything_has_a_report_too(tmp_path: Path) -> None:
    root, found, _ = made(Agent(tmp_path / "empty.cassette", user("hi")).end())
    assert found.at is None
    assert "Nothing in the recording speaks for any" in words(named(root, "summary"))
    assert [each.attributes["id"] for each in root.all() if each.name == "section"] == [key for key, _ in CONTENTS]


def test_links_that_were_put_to_the_test_are_drawn_so(tmp_path: Path) -> None:
    path = injected(tmp_path / "a.cassette")
    with load(path) as cassette:
        _, plain = report(cassette)
        assert plain.why is not None
        document = plain.why.to_json()
    document["calls"][0]["causes"][0]["link"] = "confirmed"
    root, found, _ = made(path, Wanted(tested=document))
    assert found.why is not None
    assert found.why.causes[0].link == "confirmed"
    assert "confirmed: executed again" in words(named(root, "summary"))
    assert any({"link", "confirmed"} <= each.classes and each.within("graph") for each in named(root, "why").all())
    with pytest.raises(UsageError, match="event 3"):
        made(path, Wanted(at=1, tested=document))


def test_the_command_writes_a_file_for_its_owner_and_never_over_another(tmp_path: Path) -> None:
    path = injected(tmp_path / "a.cassette")
    done = cli("report", path, "-o", tmp_path / "i.html")
    assert done.returncode == 0, shown(done)
    assert b"prompt injection, event 3" in done.stdout
    assert stat.S_IMODE((tmp_path / "i.html").stat().st_mode) == 0o600
    assert "--force" in error_line(cli("report", path, "-o", tmp_path / "i.html"), "cassette-exists")
    told = cli_json("report", path, "-o", tmp_path / "i.html", "--force")
    assert told["bytes"] == (tmp_path / "i.html").stat().st_size
    assert (told["verdict"], told["event"], told["decision"], told["intact"]) == ("prompt_injection", 3, 2, True)
    out = cli("report", path, "-o", "-")
    assert out.stdout.startswith(b"<!doctype html>")
    assert sorted(os.listdir(tmp_path)) == ["a.cassette", "i.html"]


def test_a_policy_and_owners_are_those_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("rules:\n  - {name: no wires, argument: wire_money.account, from: user}\n")
    (tmp_path / "OWNERS").write_text("tool:wire_money @treasury\n")
    path = injected(tmp_path / "a.cassette")
    more = ("--policy", tmp_path / "policy.yaml", "--owners", tmp_path / "OWNERS")
    told = cli_json("report", path, "-o", tmp_path / "i.html", *more)
    assert [each["rule"] for each in told["deviations"]] == ["no wires"]
    root = parsed((tmp_path / "i.html").read_text("utf-8"))
    assert "no wires" in words(named(root, "expected"))
    assert "@treasury" in words(named(root, "owners"))
    assert cli("report", path, "-o", "-", "--owners", tmp_path / "none").returncode == 129


def test_an_imported_transcript_claims_no_times_and_no_program(tmp_path: Path) -> None:
    transcripts = sorted((ROOT / "fixtures" / "transcripts" / "agentdojo" / "runs").rglob("*.json"))
    assert transcripts
    done = cli("import", "chat", transcripts[0], "-o", tmp_path / "i.cassette")
    assert done.returncode == 0, shown(done)
    root, found, _ = made(tmp_path / "i.cassette")
    assert (found.imported, found.timed) == (True, False)
    assert "Imported" in words(named(root, "summary"))
    assert " s" not in [words(each) for each in named(root, "path").all() if "time" in each.classes]
    assert "replay run" not in words(named(root, "reproduce"))
    assert "it has no program" in words(named(root, "reproduce"))
