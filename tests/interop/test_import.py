"""`replay import chat`: what transcripts say, in cassettes that the other commands read."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay import semantics
from replay.cassette.cassette import load
from replay.interop.chat import guessed, paired, transcripts
from tests.support.e2e import cli, cli_json, error_line, shown

TRANSCRIPTS = Path(__file__).parents[2] / "fixtures" / "transcripts"
DOJO = sorted((TRANSCRIPTS / "agentdojo").rglob("*.json"))[1:]

OPENAI = {
    "model": "gpt-4o",
    "temperature": 0,
    "tools": [
        {"type": "function", "function": {"name": "look"}, "annotations": {"readOnlyHint": True}},
        {"type": "function", "function": {"name": "get_paid"}, "effect": "write"},
    ],
    "labels": "the answer is wrong",
    "messages": [
        {"role": "user", "content": "refund A-1"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"order": "A-1"}'}},
                {"id": "b", "type": "function", "function": {"name": "get_paid", "arguments": "not JSON"}},
            ],
        },
        {"role": "tool", "tool_call_id": "b", "content": "paid"},
        {"role": "tool", "tool_call_id": "a", "content": "a lamp"},
        {"role": "assistant", "content": "Done."},
    ],
}
ANTHROPIC = {
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "what is in it?"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I look."},
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "t1", "name": "read_file", "input": {"path": "a.txt"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "pears"}]},
                {"type": "text", "text": "and now?"},
            ],
        },
    ],
}


def imported(document: Any, tmp_path: Path, name: str = "x") -> tuple[Path, dict[str, Any]]:
    file = tmp_path / f"{name}.json"
    file.write_text(json.dumps(document))
    path = tmp_path / f"{name}.cassette"
    done = cli("import", "chat", file, "-o", path)
    assert done.returncode == 0, shown(done)
    return path, cli_json("show", path)


def test_messages_of_openai(tmp_path: Path) -> None:
    path, found = imported(OPENAI, tmp_path)
    told = [(event["kind"], event["name"], event["effect"], event["source"]) for event in found["events"]]
    assert told == [
        ("entry", "user", "read", {"message": 0, "call": None}),
        ("llm", "gpt-4o", "read", {"message": 1, "call": None}),
        ("tool", "look", "read", {"message": 1, "call": 0, "result_message": 3}),
        ("tool", "get_paid", "write", {"message": 1, "call": 1, "result_message": 2}),
        ("llm", "gpt-4o", "read", {"message": 4, "call": None}),
    ]
    assert [event["response"] for event in found["events"][2:4]] == ["a lamp", "paid"]
    assert [event["request"] for event in found["events"][2:4]] == [{"order": "A-1"}, "not JSON"]
    assert found["events"][3]["links"] == {"decided_by": 1}
    assert found["events"][3]["meta"]["effect"] == "declared"
    with load(path) as cassette:
        call = semantics.read(cassette.events[4])
        assert call is not None
        assert (call.request_model, call.provider, call.text, dict(call.params)) == (
            "gpt-4o", "unknown", "Done.", {"temperature": 0},
        )  # fmt: skip
        assert semantics.tool_results(call) == [("b", "paid"), ("a", "a lamp")]
        assert [tool.name for tool in call.tools] == ["look", "get_paid"]
    assert b"the answer is wrong" not in path.read_bytes()


def test_messages_of_anthropic(tmp_path: Path) -> None:
    path, found = imported(ANTHROPIC, tmp_path)
    told = [(event["kind"], event["name"], event["source"]) for event in found["events"]]
    assert told == [
        ("entry", "system", {"message": -1, "call": None}),
        ("entry", "user", {"message": 0, "call": None}),
        ("llm", "(unknown model)", {"message": 1, "call": None}),
        ("tool", "read_file", {"message": 1, "call": 0, "result_message": 2}),
        ("entry", "user", {"message": 2, "call": None}),
    ]
    assert (found["events"][3]["effect"], found["events"][3]["meta"]["effect"]) == ("read", "guessed")
    assert any(spot["what"] == "effect" and "read_file" in spot["detail"] for spot in found["blind_spots"])
    with load(path) as cassette:
        call = semantics.read(cassette.events[2])
        assert call is not None
        assert (call.reasoning, call.text) == ("I look.", "Looking.")


@pytest.mark.parametrize("file", DOJO[::8], ids=lambda file: "-".join(file.parts[-4:]))
def test_every_message_of_agentdojo_is_an_event_and_no_verdict_is(file: Path, tmp_path: Path) -> None:
    original = json.loads(file.read_text())
    path, found = imported(original, tmp_path)
    events, messages = found["events"], original["messages"]
    results = {event["source"]["result_message"]: event for event in events if "result_message" in event["source"]}
    said = {event["source"]["message"]: event for event in events if event["kind"] != "tool"}
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            assert results[place]["name"] == message["tool_call"]["function"]
            assert results[place]["request"] == message["tool_call"]["args"]
        else:
            assert place in said
    everything = json.dumps(found)
    for field in ("injection_task_id", "attack_type", "security", "utility", "injections", "important_instructions"):
        assert field not in everything, field
    assert path.stat().st_mode & 0o077 == 0


def test_many_runs_go_into_a_directory(tmp_path: Path) -> None:
    tau = TRANSCRIPTS / "tau_bench" / "gpt-4o-airline.json"
    who = TRANSCRIPTS / "who_and_when" / "Hand-Crafted" / "6.json"
    found = cli_json("import", "chat", tau, who, "-o", tmp_path / "all")
    assert [Path(each["path"]).name for each in found["imported"]] == [
        "tau_bench__gpt-4o-airline.cassette",
        "who_and_when__Hand-Crafted__6.cassette",
    ]
    agents = {event["agent"] for event in cli_json("show", found["imported"][1]["path"])["events"]}
    assert {"Orchestrator", "WebSurfer"} <= agents
    log = json.loads(who.read_text())
    shown_log = json.dumps(cli_json("show", found["imported"][1]["path"]))
    assert log["mistake_reason"] not in shown_log
    done = cli("import", "chat", tau, who, "-o", tmp_path / "one.cassette")
    assert done.returncode == 129, shown(done)


def test_it_cannot_be_run_and_never_overwrites(tmp_path: Path) -> None:
    path, _ = imported(OPENAI, tmp_path)
    assert "transcript" in error_line(cli("run", path), "not-replayable")
    error_line(cli("import", "chat", tmp_path / "x.json", "-o", path), "cassette-exists")
    (tmp_path / "y.json").write_text('{"hello": 1}')
    error_line(cli("import", "chat", tmp_path / "y.json", "-o", tmp_path / "y.cassette"), "not-importable")
    error_line(cli("import", "chat", tmp_path / "z.json", "-o", tmp_path / "z.cassette"), "cassette-missing")


def test_a_long_conversation_makes_a_small_cassette(tmp_path: Path) -> None:
    text = "What the weather will be like in a place that nobody has named before, number {}. " * 3
    messages = [{"role": ("user", "assistant")[n % 2], "content": text.format(n, n, n)} for n in range(400)]
    file = tmp_path / "x.json"
    file.write_text(json.dumps(messages))
    done = cli("import", "chat", file, "-o", tmp_path / "x.cassette")
    assert done.returncode == 0, shown(done)
    assert (tmp_path / "x.cassette").stat().st_size < 2 * file.stat().st_size


def test_of_each_window_only_what_is_new_is_stored(tmp_path: Path) -> None:
    words = [sha256(str(n).encode()).hexdigest() for n in range(400)]  # nothing that packs
    messages = [{"role": ("user", "assistant")[n % 2], "content": " ".join([word] * 8)} for n, word in enumerate(words)]
    path, whole = imported(messages, tmp_path)
    assert path.stat().st_size < (tmp_path / "x.json").stat().st_size
    asked = [each for each in whole["events"] if each["kind"] == "llm"]
    assert [len(each["request"]["body"]["messages"]) for each in asked] == list(range(1, 400, 2))
    assert asked[-1]["request"]["body"]["messages"] == messages[:-1]


def test_texts_that_are_no_unicode(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "half a \ud83d"}, {"role": "assistant", "content": "\ude00 the other"}]
    _, whole = imported(messages, tmp_path)
    assert whole["events"][1]["request"]["body"]["messages"] == messages[:1]
    assert whole["events"][1]["llm"]["text"] == "\ude00 the other"


KEYS = "messages role content tool_calls function args arguments name id type text input traj history tool_call_id"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS.split()), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_any_json_is_read_or_refused(document: Any) -> None:
    for run in transcripts(json.dumps(document).encode()):
        for result, (asked, number) in paired(run.turns).items():
            assert asked < result
            assert number < len(run.turns[asked].calls)


@given(st.lists(st.sampled_from("ab"), max_size=6), st.randoms(use_true_random=False))
def test_each_result_has_a_call_of_its_own(names: list[str], chance: Any) -> None:
    calls = [{"id": f"c{n}", "function": {"name": name, "arguments": "{}"}} for n, name in enumerate(names)]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": call["id"]} for call in calls]
    chance.shuffle(results)
    (run,) = transcripts(json.dumps([{"role": "assistant", "tool_calls": calls}, *results]).encode())
    found = paired(run.turns)
    assert {(run.turns[0].calls[n].id, run.turns[place].content) for place, (_, n) in found.items()} == {
        (call["id"], call["id"]) for call in calls
    }


def test_what_a_name_says() -> None:
    assert [guessed(name) for name in ("get_x", "listFiles", "send_money", "x", "", "HTTPPost")] == [
        "read", "read", "write", "write", "write", "write",
    ]  # fmt: skip


def test_a_directory_and_what_nobody_knew_in_it(tmp_path: Path) -> None:
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    said = json.dumps([{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}])
    (tmp_path / "in" / "a.json").write_text(said)
    (tmp_path / "in" / "deeper" / "b.json").write_text(said)
    (tmp_path / "in" / "notes.md").write_text("# notes")
    done = cli("import", "chat", tmp_path / "in", "-o", tmp_path / "out")
    assert done.returncode == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.cassette", "deeper__b.cassette"]
    assert b"left out 1 file, such as notes.md" in done.stderr
    (tmp_path / "empty").mkdir()
    error_line(cli("import", "chat", tmp_path / "empty", "-o", tmp_path / "none"), "not-importable")


def test_who_asks_the_wrong_importer_is_told_which_reads_it(tmp_path: Path) -> None:
    out = tmp_path / "x.cassette"
    named = cli("import", "langsmith", out, "-o", out)
    assert (named.returncode, b"`replay import chat` knows" in named.stderr) == (129, True)
    wire = min((TRANSCRIPTS.parent / "wire").rglob("*.yaml"))
    assert "replay import vcr" in error_line(cli("import", "chat", wire, "-o", out), "not-importable")
    langfuse = TRANSCRIPTS / "written" / "langfuse.json"
    assert "`replay import chat`" in error_line(cli("import", "otel", langfuse, "-o", out), "not-importable")
    assert "`replay import chat`" in error_line(cli("import", "vcr", langfuse, "-o", out), "cassette-unreadable")
    assert cli("import", "vcr", wire, "-o", out).returncode == 0
    assert "replay show" in error_line(cli("import", "chat", out, "-o", tmp_path / "y.cassette"), "not-importable")
    assert "replay_cassette" in error_line(cli("run", out), "not-replayable")
