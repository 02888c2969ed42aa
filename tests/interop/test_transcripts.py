"""Transcripts of every form: what comes in is what an independent reading of the file counts."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.cassette.cassette import load
from replay.interop import formats
from replay.interop.transcripts import KINDS, known
from replay.interop.transcripts.spans import microseconds
from replay.model.event import Event
from tests.support.e2e import cli, cli_json, error_line

SAMPLE = Path(__file__).parents[2] / "fixtures" / "transcripts"
WRITTEN = SAMPLE / "written"
DATA = Path(os.environ.get("REPLAY_EVAL_DATA", SAMPLE))
"""With the whole collection every transcript in it is counted."""

Counts = tuple[int, int, int]
"""Messages (of a tool not counted), calls of tools, results."""


def imported(file: Path, tmp_path: Path, name: str = "chat") -> list[list[Event]]:
    """The events of each run."""
    found: list[list[Event]] = []
    for run in formats.importer(name)(file):
        path = tmp_path / f"{len(found)}.cassette"
        run.write(path)
        with load(path) as cassette:
            assert cassette.status == "sealed"
            assert cassette.blind_spots
            found.append(list(cassette.events))
        path.unlink()
    return found


def counts(events: list[Event]) -> Counts:
    tools = [event for event in events if event.kind == "tool"]
    asked = [event for event in tools if event.meta["source"]["call"] is not None]
    return (
        sum(event.kind in ("llm", "entry") for event in events),
        len(asked),
        sum(event.status != "open" for event in tools),
    )


# Readings of the files by themselves, each for its form.


def plain(messages: list[Any]) -> Counts:
    calls = sum(len(message.get("tool_calls") or ()) for message in messages)
    return sum(m["role"] != "tool" for m in messages), calls, sum(m["role"] == "tool" for m in messages)


def mini(messages: list[Any]) -> Counts:
    """Each block of shell is a call, each message that begins with `<returncode>` a result."""
    results = sum(m["role"] == "user" and m["content"].startswith("<returncode>") for m in messages)
    calls = sum(m["role"] == "assistant" and m["content"].count("```mswea_bash_command") == 1 for m in messages)
    return len(messages) - results, calls, results


def who(history: list[Any]) -> Counts:
    terminal = [m for m in history[1:] if m.get("name", m["role"]).lower() in ("computer_terminal", "computerterminal")]
    return len(history) - len(terminal), 0, len(terminal)


def expected(file: Path) -> list[Counts]:
    if file.suffix == ".eval":
        with zipfile.ZipFile(file) as archive:
            samples = [json.loads(archive.read(n)) for n in archive.namelist() if n.startswith("samples/")]
        return [plain(sample["messages"]) for sample in samples]
    document: Any = json.loads(file.read_text())
    match file.relative_to(DATA).parts[0]:
        case "agentdojo":
            return [plain(document["messages"])]
        case "tau_bench":
            return [plain(run["traj"]) for run in document]
        case "who_and_when":
            return [who(document["history"])]
        case "inspect_ai":
            return [plain(sample["messages"]) for sample in document["samples"]]
        case _:
            history: list[Any] = document["history"] if file.suffix == ".traj" else document
            return [(plain if file.suffix == ".traj" else mini)(history)]


def found() -> list[Path]:
    folders = ("agentdojo/runs", "tau_bench", "who_and_when", "swe_agent", "inspect_ai")
    return sorted(file for folder in folders for file in (DATA / folder).rglob("*") if file.is_file())


def test_every_transcript_comes_in_with_all_its_messages_calls_and_results(tmp_path: Path) -> None:
    files = [*found()[:1], *(file for file in found() if "agentdojo" not in file.parts)] if DATA == SAMPLE else found()
    total = [0, 0, 0]
    for file in files:
        runs = imported(file, tmp_path)
        assert [counts(run) for run in runs] == expected(file), file
        total = [sum(each) for each in zip(total, *map(counts, runs), strict=True)]
    print(f"{len(files)} files: {total[0]} messages, {total[1]} calls, {total[2]} results, all as in the source")


def brief(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.name) for event in events]


SPANS = [
    ("entry", "system"),
    ("entry", "user"),
    ("llm", "gpt-4o"),
    ("tool", "refund"),
    ("llm", "gpt-4o"),
]


@pytest.mark.parametrize(
    "name", ["otel_genai.json", "otel_openinference.json", "otel_openllmetry.json", "langsmith.jsonl"]
)
def test_traces(name: str, tmp_path: Path) -> None:
    (events,) = imported(WRITTEN / name, tmp_path)
    assert brief(events) == SPANS
    _, _, asks, tool, _ = events
    assert (tool.response, tool.meta["links"]) == ("refunded", {"decided_by": asks.id})
    assert (asks.at, tool.at, tool.took) == (0, 2_000_000, 1_000_000)
    request = json.loads(asks.body or b"")
    assert [message["content"] for message in request["messages"]] == ["Be kind.", "refund A-1"]
    said = json.loads(asks.response["body"])
    (call,) = said["choices"][0]["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("refund", {"id": "A-1"})
    assert said["usage"] == {"prompt_tokens": 31, "completion_tokens": 9}


def test_agents_and_times_of_opentelemetry(tmp_path: Path) -> None:
    cli_json("import", "otel", WRITTEN / "otel_genai.json", "-o", tmp_path / "a.cassette")
    told = cli_json("show", tmp_path / "a.cassette")
    assert told["cassette"]["trace"]["id"] == "5b8efff798038103d269b633813fc60c"
    assert {event["agent"] for event in told["events"] if event["kind"] != "entry"} == {"desk"}
    assert [event["source"]["message"] for event in told["events"]] == [1, 1, 1, 2, 3]


def test_a_failed_tool_of_langfuse(tmp_path: Path) -> None:
    (events,) = imported(WRITTEN / "langfuse.json", tmp_path)
    assert brief(events) == [
        ("entry", "user"),
        ("llm", "claude-sonnet-4-5"),
        ("tool", "refund"),
        ("llm", "claude-sonnet-4-5"),
    ]
    error = events[2].error
    assert error is not None
    assert error.message == "KeyError: A-1"
    assert json.loads(events[1].body or b"")["temperature"] == 0
    assert "quality" not in repr(events)


def test_atif(tmp_path: Path) -> None:
    (events,) = imported(WRITTEN / "atif.json", tmp_path)
    assert brief(events)[3:5] == [("tool", "get_order"), ("tool", "refund")]
    assert [event.response for event in events[3:5]] == ["shipped", "refunded"]
    assert events[2].meta["agent"] == "support"


@pytest.mark.parametrize("name", ["mini_swe_agent.traj.json", "swe_agent_text.traj"])
def test_commands_in_texts_are_calls(name: str, tmp_path: Path) -> None:
    (events,) = imported(WRITTEN / name, tmp_path)
    tools = [event for event in events if event.kind == "tool"]
    assert tools[0].request == {"command": "ls"}
    assert [event.status for event in tools] == ["done", "open"]
    assert "a.py" in tools[0].response


def test_inspect_puts_attachments_in_and_leaves_scores_out(tmp_path: Path) -> None:
    sample = {
        "id": 1,
        "epoch": 1,
        "attachments": {"abc": "the long text"},
        "scores": {"match": {"value": "C"}},
        "messages": [
            {"role": "user", "content": "attachment://abc"},
            {
                "role": "assistant",
                "content": [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "I run it."}],
                "tool_calls": [{"id": "c", "function": "bash", "arguments": {"cmd": "ls"}, "type": "function"}],
            },
            {
                "role": "tool",
                "tool_call_id": "c",
                "function": "bash",
                "content": "",
                "error": {"type": "timeout", "message": "slow"},
            },
        ],
    }
    log = {"version": 2, "eval": {"task": "t", "model": "openai/gpt-4o"}, "samples": [sample]}
    (tmp_path / "a.json").write_text(json.dumps(log))
    (events,) = imported(tmp_path / "a.json", tmp_path)
    assert [event.response for event in events if event.kind == "entry"] == ["the long text"]
    assert [(event.request, event.response) for event in events if event.kind == "tool"] == [({"cmd": "ls"}, "slow")]
    assert "match" not in repr(events)


def test_logs_that_mean_harm(tmp_path: Path) -> None:
    log = {
        "eval": {"task": "t"},
        "samples": [
            {"attachments": {"a": "x" * 1_000_000}, "messages": [{"role": "user", "content": "attachment://a " * 1000}]}
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(log))
    (tmp_path / "b.eval").write_bytes(b"PK\x03\x04 and nothing else")
    for name in ("a.json", "b.eval"):
        done = cli("import", "chat", tmp_path / name, "-o", tmp_path / "a.cassette")
        error_line(done, "not-importable")


KEYS = (
    "resourceSpans scopeSpans spans attributes key value stringValue run_type inputs outputs messages kwargs type "
    "GENERATION observations input output eval task samples schema_version steps source history message_type content "
    "role tool_calls parts startTime"
).split()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=15,
)


@given(JSON)
def test_nothing_raises_whatever_a_file_has(document: Any) -> None:
    assert isinstance(known(json.dumps(document).encode(), document), list)


def test_kinds_are_in_the_page() -> None:
    page = (SAMPLE.parents[1] / "docs" / "import.md").read_text()
    assert [kind for kind in KINDS if f"`{kind}`" not in page] == []


@pytest.mark.parametrize("value", [None, True, "soon", "9" * 30, -1, 1e30, [], "2026-13-01"])
def test_times_that_are_none(value: Any) -> None:
    assert microseconds(value) is None
