"""`replay export json` and `replay import json`: nothing is lost, whatever a cassette holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replay.cassette import codec
from replay.cassette import frame as f
from replay.cassette._msgpack import ext, plain
from replay.cassette.age import new_identity
from replay.cassette.cassette import load
from replay.cassette.directory import ring_of
from replay.cassette.journal import Journal
from replay.cassette.merging import merge
from replay.cassette.ring import Ring
from replay.cassette.scan import Scan
from replay.cassette.writer import Writer
from replay.interop import formats
from replay.interop.json.frames import frame, line
from replay.interop.json.values import packed, shown
from tests.cassette.test_codec import VALUES
from tests.support.e2e import cli, cli_json, error_line
from tests.support.e2e import shown as told

FIXTURES = Path(__file__).parents[2] / "fixtures" / "cassettes" / "v1"

WIRE: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(codec=None, exclude_categories=()))
    | st.binary()
    | st.builds(ext, st.integers(0, 127), st.binary()),
    lambda inside: (
        st.lists(inside) | st.dictionaries(st.text() | st.integers(-(2**63), 2**64 - 1) | st.just("$tuple"), inside)
    ),
    max_leaves=20,
)


def back(value: Any) -> Any:
    """Through the text of a file."""
    return json.loads(json.dumps(value, allow_nan=False))


@given(WIRE.map(plain) | st.binary())
@example(b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01")  # a nan with a message
@example(b"\xcc\x07")  # a number in more bytes than it needs
@example(b"\x82\xa1a\x01\xa1a\x02")  # a key twice
@example(plain("\ud83d\ude00"))
@example(b"\x91" * 400 + b"\x00")
def test_any_bytes_come_back(data: bytes) -> None:
    assert packed(back(shown(data))) == data


@given(VALUES)
def test_values_come_back(value: Any) -> None:
    data = codec.pack(value)
    assert packed(back(shown(data))) == data


@given(st.integers(1, 255), st.integers(0, f.NO_EVENT), WIRE.map(plain) | st.binary())
def test_frames_come_back(type_: int, event: int, payload: bytes) -> None:
    record = type_, event, payload
    assert frame(back(line(record))) == record


def unpacked(path: Path) -> bytes:
    """The file as it was before sealing."""
    with load(path) as cassette:
        assert cassette.damage is None
        scan = Scan(cassette.reader.source)
        return b"".join(run.data for run in scan.runs())


def again(path: Path, tmp_path: Path, name: str = "again", kind: str = "jsonl") -> Path:
    """Exported and imported."""
    exported, made = tmp_path / f"{name}.{kind}", tmp_path / f"{name}.cassette"
    with load(path) as cassette:
        formats.exporter("json")(cassette, exported)
    (run,) = formats.importer("json")(exported)
    run.write(made)
    return made


@settings(max_examples=25)
@given(data=st.data())
def test_a_recording_comes_back(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("x")
    first = folder / "first.cassette"
    with_end = data.draw(st.booleans())
    writer = Writer.create(first, {"name": data.draw(st.text(max_size=5)), "tags": data.draw(VALUES)})
    writer.lane(0, "m")
    writer.site(0, "a.py", 1, "f")
    for _ in range(data.draw(st.integers(0, 5))):
        body = data.draw(st.none() | st.binary(max_size=300))
        event = writer.call(0, "tool", "x", "read", 1, 0, data.draw(VALUES), body, "chain", {"a": 1})
        if data.draw(st.booleans()):
            writer.ret(event, 2, 2, data.draw(VALUES), False)
            writer.chunk(event, 0, 3, 0, data.draw(st.binary()), True)
    writer.track([1, "x", b"y"])
    writer.blind("what", "detail", 0, 2)
    if with_end:
        writer.end({"exit_code": 0})
        writer.seal()
    writer.flush()
    writer.close()
    for kind in ("json", "jsonl"):
        made = again(first, folder, kind, kind)
        assert unpacked(made) == unpacked(first)
        assert made.stat().st_mode & 0o077 == 0
        with load(first) as one, load(made) as other:
            assert (one.status, one.header) == (other.status, other.header)
            assert repr([*one.events]) == repr([*other.events])


@pytest.mark.parametrize("name", ["open", "sealed"])
def test_old_cassettes_come_back(name: str, tmp_path: Path) -> None:
    assert unpacked(again(FIXTURES / f"{name}.cassette", tmp_path)) == unpacked(FIXTURES / f"{name}.cassette")


def test_long_ones_come_back_with_their_signature(tmp_path: Path) -> None:
    cli("keygen", "key", cwd=tmp_path)
    writer = Writer.create(tmp_path / "x.cassette", {})
    writer.lane(0, "m")
    began = writer.call(0, "http", "GET /", "read", 0, None, None, None, None, None)
    writer.ret(began, 0, 2, None, False)
    for number in range(3000):
        body = b'{"messages": ["%d"]}' % number + b"x" * 300
        writer.event(0, "llm", "m", "read", number, None, [number], body, "k", None, 0, 0, [b"\xff", number])
        if number % 700 == 0:
            writer.chunk(began, 0, number, 0, b"piece", False)
    writer.end({"exit_code": 0})
    writer.seal()
    writer.close()
    assert cli("seal", "x.cassette", "--sign", "key", cwd=tmp_path).returncode == 0
    again(tmp_path / "x.cassette", tmp_path)
    done = cli("verify", "again.cassette", "--key", "key.pub", cwd=tmp_path)
    assert done.returncode == 0, told(done)
    with load(tmp_path / "again.cassette") as cassette:
        assert len(cassette.events[0].pieces) == 5
        assert cassette.events[3000].body == b'{"messages": ["2999"]}' + b"x" * 300


def test_of_a_torn_one_what_is_whole_and_where_it_ends(tmp_path: Path) -> None:
    made = again(FIXTURES / "torn.cassette", tmp_path)
    with load(FIXTURES / "torn.cassette") as torn, load(made) as cassette:
        assert [*cassette.events[:-1]] == [*torn.events]
        assert cassette.status == "open"
        assert "damaged" in str(cassette.stopped)


def altered(tmp_path: Path, change: Callable[[list[str]], list[str]]) -> Path:
    file = tmp_path / "x.jsonl"
    with load(FIXTURES / "sealed.cassette") as cassette:
        formats.exporter("json")(cassette, file)
    file.write_text("".join(f"{each}\n" for each in change(file.read_text().splitlines())))
    return file


def test_what_was_altered_says_so(tmp_path: Path) -> None:
    file = altered(tmp_path, lambda lines: [each.replace("sell", "give") for each in lines])
    found = cli_json("import", "json", file, "-o", tmp_path / "y.cassette")
    assert found["imported"][0]["format"] == "json"
    spots = cli_json("show", tmp_path / "y.cassette")["blind_spots"]
    assert [spot for spot in spots if spot["what"] == "import" and "altered" in spot["detail"]]
    assert cli("verify", tmp_path / "y.cassette").returncode == 0


def test_secrets_that_were_put_in_are_taken_out(tmp_path: Path) -> None:
    secret = "sk-proj-" + "a8Fk2Lq9Zx7Wv3Nc5Rt1" * 2
    file = altered(tmp_path, lambda lines: [each.replace('"sell"', f'"{secret}"') for each in lines])
    assert secret in file.read_text()
    cli_json("import", "json", file, "-o", tmp_path / "y.cassette")
    assert cli("scan", tmp_path / "y.cassette").returncode == 0
    spots = cli_json("show", tmp_path / "y.cassette")["blind_spots"]
    assert [spot for spot in spots if spot["what"] == "import" and "secrets" in spot["detail"]]


def test_an_array_in_another_layout(tmp_path: Path) -> None:
    with load(FIXTURES / "sealed.cassette") as cassette:
        formats.exporter("json")(cassette, tmp_path / "x.json")
    (tmp_path / "y.json").write_text(json.dumps(json.loads((tmp_path / "x.json").read_text()), indent=2))
    cli_json("import", "json", tmp_path / "y.json", "-o", tmp_path / "y.cassette")
    assert unpacked(tmp_path / "y.cassette") == unpacked(FIXTURES / "sealed.cassette")


BROKEN: dict[str, Callable[[list[str]], list[str]]] = {
    "no format": lambda lines: lines[1:],
    "nothing else": lambda lines: lines[:1],
    "no header": lambda lines: [lines[0], *lines[2:]],
    "an event less": lambda lines: [each for each in lines if '"event":3' not in each],
    "half a line": lambda lines: [*lines[:5], lines[5][:40]],
    "deep": lambda lines: [*lines[:5], "[" * 100_000],
    "unknown frames": lambda lines: [each.replace('"EVENT"', '"EVENTS"') for each in lines],
    "a lane by name": lambda lines: [each.replace('"lane":0', '"lane":"m"') for each in lines],
    "more of nothing": lambda lines: [*lines, '{"frame":"RETURN","event":99,"value":{"$packed":"lADAwsA="}}'],
    "a number": lambda lines: [*lines[:4], "7"],
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_what_is_no_export_is_refused_and_leaves_nothing(
    change: Callable[[list[str]], list[str]], tmp_path: Path
) -> None:
    file = altered(tmp_path, change)
    done = cli("import", "json", file, "-o", tmp_path / "y.cassette")
    assert str(file) in error_line(done, "not-importable")
    assert not (tmp_path / "y.cassette").exists()


def test_formats_that_there_arent_and_files_that_there_are(tmp_path: Path) -> None:
    done = cli("export", "word", FIXTURES / "open.cassette", "-o", tmp_path / "x")
    assert done.returncode == 129
    assert b"no such format: word (there are har, json, otel, vcr)" in done.stderr
    (tmp_path / "x.json").write_text("mine")
    done = cli("export", "json", FIXTURES / "open.cassette", "-o", tmp_path / "x.json")
    error_line(done, "cassette-exists")
    assert (tmp_path / "x.json").read_text() == "mine"


def test_an_encrypted_one_stays_so(tmp_path: Path) -> None:
    identity = new_identity()
    recipients = [identity.recipient]
    writer = Writer.create(
        tmp_path / "x.cassette", {"recipients": recipients}, journal=partial(Journal, recipients=recipients)
    )
    writer.lane(0, "m")
    writer.event(0, "tool", "t", "read", 0, None, "hidden words", None, None, None, 0, 0, None)
    writer.end({})
    writer.seal()
    writer.close()
    (tmp_path / "identity").write_text(f"{identity.text}\n")
    env = {"REPLAY_IDENTITY": str(tmp_path / "identity")}
    done = cli("export", "json", tmp_path / "x.cassette", "-o", tmp_path / "x.jsonl", env={**os.environ, **env})
    assert done.returncode == 0, told(done)
    assert cli("import", "json", tmp_path / "x.jsonl", "-o", tmp_path / "y.cassette").returncode == 0
    assert (tmp_path / "y.cassette").read_bytes().startswith(b"age-encryption.org/v1")
    done = cli("export", "json", tmp_path / "y.cassette", "-o", tmp_path / "y.jsonl", env={**os.environ, **env})
    assert done.returncode == 0, told(done)
    assert (tmp_path / "y.jsonl").read_bytes() == (tmp_path / "x.jsonl").read_bytes()


@pytest.mark.parametrize("events", [5, 5000])  # it has all, and it went round
def test_a_flight_recorders_comes_back(events: int, tmp_path: Path) -> None:
    ring = Ring(str(tmp_path / "x.cassette"), {"name": "ring"}, 600_000)
    ring.lane(0, "m")
    for number in range(events):
        ring.event(0, "tool", "t", "read", number, None, [number], b"%d" % number * 200, "k", None, 0, 0, number)
    ring.end({"exit_code": 1})
    ring.close()
    path = Path(merge(ring_of(str(tmp_path / "x.cassette")), str(tmp_path / "x.cassette"), "the program failed"))
    with load(path) as cassette:
        assert cassette.header["ring"]["whole"] == (events == 5)
    assert unpacked(again(path, tmp_path)) == unpacked(path)
