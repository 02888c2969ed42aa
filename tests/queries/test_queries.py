"""The table of queries: every answer on real and hostile cassettes, its bounds, its pages, what it takes; its page."""

# pyright: reportUnknownVariableType=false

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replay.model.errors import CassetteMissing, QueryInvalid, ReplayError
from replay.queries.bounds import dumps
from replay.queries.library import Library
from replay.queries.table import QUERIES, ask, problem
from tests.cli import cassettes
from tests.support.hostile import hostile

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "queries.md"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("cassettes")
    hostile(where / "hostile.cassette", big=200_000)
    cassettes.write(where / "support.cassette")
    (where / "sub").mkdir()
    cassettes.write(where / "sub" / "other.cassette", text="No.")
    shutil.copy(ROOT / "fixtures" / "cassettes" / "v1" / "torn.cassette", where)
    return where


@pytest.fixture(scope="module")
def library(directory: Path) -> Library:
    return Library([directory])


GIVEN: dict[str, dict[str, Any]] = {
    "event": {"event": 4},
    "why": {"event": 4},
    "search": {"text": "refund"},
    "diff": {"a": "support", "b": "other"},
    "align": {"a": "support", "b": "other"},
    "list": {},
}


def given(name: str, cassette: str) -> dict[str, Any]:
    found = GIVEN.get(name, {})
    return found if name in ("list", "diff", "align") else {"cassette": cassette, **found}


def call(library: Library, cassette: str) -> int:
    """The first call of a model."""
    return int(ask(library, "show", {"cassette": cassette, "kind": "llm"})["events"][0]["id"])


def answers(library: Library, cassette: str, room: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, query in QUERIES.items():
        if not query.executes:
            more = {"event": call(library, cassette)} if name == "context" else {}
            yield name, ask(library, name, given(name, cassette) | more, room=room)


@pytest.mark.parametrize("cassette", ["support", "hostile"])
@pytest.mark.parametrize("room", [1_000_000, 20_000])
def test_no_answer_is_larger_than_its_room_and_each_is_json(library: Library, cassette: str, room: int) -> None:
    for name, answer in answers(library, cassette, room):
        text = dumps(answer)
        assert len(text.encode()) <= room, name
        assert json.loads(text) == answer
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x7f-\x9f\x00-\x09\x0b-\x1f]", text), name


def test_pages_are_the_whole_list(library: Library) -> None:
    whole = ask(library, "show", {"cassette": "support"})
    assert (whole["more"], whole["next"], whole["total"]) == (False, None, len(whole["events"]))
    found: list[Any] = []
    offset: int | None = 0
    while offset is not None:
        page = ask(library, "show", {"cassette": "support", "offset": offset, "limit": 3})
        assert page["total"] == whole["total"]
        found += page["events"]
        offset = page["next"]
    assert found == whole["events"]


def test_search_goes_on_at_an_event(library: Library) -> None:
    whole = ask(library, "search", {"cassette": "support", "text": "REFUND"})
    ids = [hit["event"] for hit in whole["hits"]]
    assert len(ids) > 2
    assert whole["next"] is None
    one = ask(library, "search", {"cassette": "support", "text": "refund", "limit": 1})
    assert [hit["event"] for hit in one["hits"]] == ids[:1]
    rest = ask(library, "search", {"cassette": "support", "text": "refund", "offset": one["next"]})
    assert [hit["event"] for hit in rest["hits"]] == ids[1:]
    place = whole["hits"][0]["places"][0]
    asked = {"cassette": "support", "event": ids[0], "path": place["path"]}
    assert "refund" in ask(library, "event", asked)["value"].casefold()
    assert ask(library, "search", {"cassette": "support", "text": "nothing of the kind"})["hits"] == []


def test_what_is_cut_is_read_on_to_its_end(library: Library) -> None:
    def cuts(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict) and "$cut" in value:
            yield value
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from cuts(each)

    events = range(ask(library, "show", {"cassette": "hostile"})["recorded"])
    found = [(cut, n) for n in events for cut in cuts(ask(library, "event", {"cassette": "hostile", "event": n}))]
    long, event = max(found, key=lambda each: int(each[0]["of"]))
    asked = {"cassette": "hostile", "event": event}
    whole = ""
    start: int | None = 0
    while start is not None:
        piece = ask(library, "event", {**asked, "path": long["path"], "start": start}, room=20_000)
        assert len(dumps(piece).encode()) <= 20_000
        whole += piece["value"]
        start = piece["next"]
    assert len(whole) == long["of"] > 100_000
    assert whole.startswith(long["$cut"])


def test_filters(library: Library) -> None:
    def ids(**more: Any) -> list[int]:
        return [each["id"] for each in ask(library, "show", {"cassette": "support", **more})["events"]]

    assert ids(kind=["llm", "tool"]) == sorted(ids(kind=["llm"]) + ids(kind="tool")) != []
    assert ids(first=3, last=5) == [3, 4, 5]
    assert 0 < len(ids(lane="m/t1")) < len(ids(lane="m")) == len(ids())
    assert ids(status="failed") != []
    assert ids(effect="write") != []
    assert ids(text="no such words") == []
    whole = ask(library, "show", {"cassette": "support", "whole": True, "limit": 5})["events"][4]
    assert whole == {
        k: v for k, v in ask(library, "event", {"cassette": "support", "event": 4}).items() if k != "cassette"
    }


@pytest.mark.parametrize(
    "name",
    [
        "../secret.cassette",
        "/etc/passwd",
        "..",
        "",
        "sub/../../secret",
        "outside",
        "link",
        "\x00",
        "support.cassette/..",
    ],
)
def test_nothing_outside_the_roots_is_found(directory: Path, tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    shutil.copytree(directory, inside)
    secret = cassettes.write(tmp_path / "secret.cassette")
    (inside / "outside.cassette").symlink_to(secret)
    (inside / "link").symlink_to(tmp_path, target_is_directory=True)
    library = Library([inside])
    with pytest.raises(CassetteMissing):
        ask(library, "show", {"cassette": name})
    assert "secret" not in dumps(ask(library, "list"))
    with pytest.raises(CassetteMissing):
        ask(library, "show", {"cassette": str(secret)})


def test_names(library: Library, directory: Path) -> None:
    known = [row["cassette"] for row in ask(library, "list")["cassettes"]]
    assert sorted(known) == ["hostile.cassette", "sub/other.cassette", "support.cassette", "torn.cassette"]
    identity = next(row["id"] for row in ask(library, "list")["cassettes"] if row["cassette"] == "sub/other.cassette")
    for name in ("sub/other", "sub/other.cassette", "other", identity, str(directory / "sub" / "other.cassette")):
        assert ask(library, "show", {"cassette": name})["cassette"] == "sub/other.cassette"
    with pytest.raises(CassetteMissing, match=r"did you mean support\.cassette"):
        ask(library, "show", {"cassette": "suport"})
    one = Library([directory / "support.cassette"])
    assert [row["cassette"] for row in ask(one, "list")["cassettes"]] == ["support.cassette"]


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = cassettes.write(tmp_path / "a.cassette", text="The first answer.")
    library = Library([tmp_path])
    asked = {"cassette": "a", "text": "the second answer"}
    assert ask(library, "search", asked)["hits"] == []
    before = library.open("a")
    assert library.open("a") is before
    path.unlink()
    cassettes.write(path, text="The second answer.")
    assert ask(library, "search", asked)["hits"] != []


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("shwo", {}, "no query shwo (did you mean show?)"),
        ("show", {}, "show needs cassette"),
        ("show", {"cassete": "x"}, "show takes no cassete (did you mean cassette?)"),
        ("show", {"cassette": 1}, "cassette is 1 (it has to be a text)"),
        ("show", {"cassette": "support", "limit": 0}, "limit is 0 (it has to be from 1 to 20000)"),
        ("show", {"cassette": "support", "effect": "none"}, "(it has to be one of draw, read, write)"),
        ("event", {"cassette": "support", "event": "x"}, "event is 'x' (it has to be a whole number)"),
        ("event", {"cassette": "support", "event": 999}, "no event 999 in support.cassette"),
        ("event", {"cassette": "support", "event": 1, "path": "/nowhere"}, "nothing stands at /nowhere"),
        ("show", {"cassette": "support", "path": "/events"}, "/events is the page itself"),
        ("run", {"cassette": "support"}, "nothing is executed again here"),
    ],
)
def test_what_makes_no_sense_is_said(library: Library, name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ReplayError) as caught:
        ask(library, name, given)
    assert said in str(caught.value)
    assert problem(caught.value)["error"]["slug"] in ("query-invalid", "usage")


def test_texts_are_taken_for_numbers_and_switches(library: Library) -> None:
    asked = {"cassette": "support", "offset": "2", "limit": "2", "whole": "true", "kind": "llm,tool"}
    page = ask(library, "show", asked)
    assert len(page["events"]) == 2
    assert all("request" in each for each in page["events"])


def test_side_by_side(library: Library) -> None:
    both = {"a": "support", "b": "sub/other"}
    roots = ask(library, "diff", both)["roots"]
    rows = ask(library, "align", both)["rows"]
    caused = {row[3] for row in rows if row[3] is not None}
    assert roots
    assert caused == set(range(len(roots)))
    assert all(row[2] is False for row in rows if row[3] is not None)


def test_a_timeline_has_every_event(library: Library) -> None:
    found = ask(library, "timeline", {"cassette": "support"})
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    events = ask(library, "show", {"cassette": "support"})["events"]
    assert [(row["id"], row["kind"], found["lanes"][row["lane"]]) for row in rows] == [
        (each["id"], each["kind"], each["lane"]) for each in events
    ]
    lanes = ask(library, "lanes", {"cassette": "support"})["lanes"]
    assert sum(lane["events"] for lane in lanes) == len(events)
    assert [lane["lane"] for lane in lanes] == found["lanes"]


def sections() -> dict[str, str]:
    parts = re.split(r"^### `(\w+)`\n", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_has_every_query_with_its_parameters_and_what_it_is_for() -> None:
    assert list(sections()) == list(QUERIES)
    for name, text in sections().items():
        query = QUERIES[name]
        assert query.about in text
        named = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", text, flags=re.MULTILINE)
        own = [each for each in query.params if each.name not in ("path", "start")]
        assert [each for each, _ in named] == [each.name for each in own]
        assert all(each.say.about in said for each, (_, said) in zip(own, named, strict=True))


def test_the_page_names_the_keys_of_every_answer(library: Library) -> None:
    for name, answer in answers(library, "support", 1_000_000):
        said = re.search(r"^Answers (.*)\.$", sections()[name], flags=re.MULTILINE)
        assert said is not None
        named = set(re.findall(r"`(\w+)`", said[1]))
        paging = {"total", "offset", "more", "next"} if "next" in answer else set[str]()
        answer = {"response" if key == "error" else key: each for key, each in answer.items()}
        optional = {"meta", "pieces", "llm", "source"} if name == "event" else set[str]()
        assert named == set(answer) - paging - optional, name


def test_schemas_are_json(library: Library) -> None:
    for query in QUERIES.values():
        schema = query.schema()
        assert json.loads(json.dumps(schema)) == schema
        assert schema["additionalProperties"] is False
        assert all(each["description"] for each in schema["properties"].values())
    with pytest.raises(QueryInvalid):
        ask(library, "list", {"surprise": 1})
