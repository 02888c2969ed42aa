"""Encrypted cassettes: who reads them, who doesn't, and what damage does."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.cassette import age, encrypted, finishing, journal, keyring, keys, resealing, sealing
from replay.cassette.cassette import load
from replay.cassette.finishing import finish
from replay.cassette.reader import Reader
from replay.cassette.signing import Signer
from replay.cassette.source import FileSource
from replay.cassette.verify import verify
from replay.cassette.writer import Writer
from replay.model.errors import (
    CassetteDamaged,
    CassetteEncrypted,
    CassetteExists,
    CassetteForeign,
    KeyUnusable,
    ReplayError,
)
from tests.cassette.recordings import add, responses

CANARY = "canary-4711"
pyrage: Any = import_module("pyrage")  # it has no types


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> age.Identity:
    """At hand."""
    path = tmp_path / "identity"
    identity = age.write_identity(os.fspath(path), "2026-11-23")
    monkeypatch.setenv(keyring.VARIABLE, str(path))
    return identity


def begin(path: Path, recipient: str, *also: str) -> Writer:
    writer = Writer.create(
        path, {"recipients": [recipient]}, None, lambda fd: journal.Journal(fd, [recipient], list(also))
    )
    writer.lane(0, "m")
    writer.site(0, "agent.py", 7, "step")
    return writer


def write(path: Path, recipient: str, values: list[Any], *, seal: bool) -> None:
    writer = begin(path, recipient)
    for value in values:
        add(writer, value)
        writer.flush()
    if seal:
        writer.end({"exit_code": 0})
        writer.seal()
    writer.close()


VALUES = [f"{CANARY} {number} " + "x" * (number * 37 % 400) for number in range(60)]


@pytest.mark.parametrize("seal", [False, True])
def test_only_the_identity_reads_it(
    seal: bool, tmp_path: Path, identity: age.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.cassette"
    write(path, identity.recipient, VALUES, seal=seal)
    data = path.read_bytes()
    assert CANARY.encode() not in data
    assert b"agent.py" not in data
    assert path.stat().st_mode & 0o777 == 0o600
    assert responses(path) == VALUES
    report = verify(path)
    assert (report.intact, report.status, report.events) == (True, "sealed" if seal else "open", 60)
    other = tmp_path / "other"
    age.write_identity(os.fspath(other), "now")
    monkeypatch.setenv(keyring.VARIABLE, str(other))
    with pytest.raises(CassetteEncrypted, match="not for the identity"):
        load(path)
    monkeypatch.delenv(keyring.VARIABLE)
    with pytest.raises(CassetteEncrypted, match="no identity was given"):
        load(path)
    monkeypatch.setenv(keyring.VARIABLE, f"{other}:{tmp_path / 'identity'}")
    assert responses(path) == VALUES


def test_a_sealed_one_is_an_age_file(tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    write(path, identity.recipient, VALUES, seal=True)
    plain = tmp_path / "plain.cassette"
    plain.write_bytes(pyrage.decrypt(path.read_bytes(), [pyrage.x25519.Identity.from_str(identity.text)]))
    assert responses(plain) == VALUES
    assert verify(plain).chain == verify(path).chain
    public = pyrage.x25519.Recipient.from_str(identity.recipient)
    path.write_bytes(pyrage.encrypt(plain.read_bytes(), [pyrage.x25519.Identity.generate().to_public(), public]))
    assert responses(path) == VALUES


@pytest.mark.parametrize("size", [0, 1, age.CHUNK - 1, age.CHUNK, age.CHUNK + 1, 2 * age.CHUNK, 3 * age.CHUNK + 5])
def test_age_as_others_have_it(size: int, tmp_path: Path, identity: age.Identity) -> None:
    theirs = pyrage.x25519.Identity.from_str(identity.text)
    assert str(theirs.to_public()) == identity.recipient
    data = random.Random(size).randbytes(size)
    ours = b"".join(
        age.seal([data[: size // 3], data[size // 3 :]], [age.new_identity().recipient, identity.recipient])
    )
    assert pyrage.decrypt(ours, [theirs]) == data
    path = tmp_path / "x"
    path.write_bytes(pyrage.encrypt(data, [theirs.to_public()]))
    source = FileSource(path)
    found = encrypted.opened(source, source.read_at(0, encrypted.START))
    assert found is not None
    assert found.size == size
    assert found.read_at(0, size + 9) == data
    assert found.read_at(size // 2, 7) == data[size // 2 : size // 2 + 7]
    assert found.read_at(size, 1) == b""
    found.close()


def test_reading_all_over_a_large_one(tmp_path: Path, identity: age.Identity) -> None:
    data = random.Random(1).randbytes(40 * age.CHUNK + 11)
    path = tmp_path / "x"
    path.write_bytes(b"".join(age.seal([data], [identity.recipient])))
    source = FileSource(path)
    found = encrypted.opened(source, source.read_at(0, encrypted.START))
    assert found is not None
    for offset, count in ((0, len(data)), (39 * age.CHUNK, age.CHUNK), (5, 20 * age.CHUNK), (len(data) - 3, 100)):
        assert found.read_at(offset, count) == data[offset : offset + count]
    found.close()


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), seal=st.booleans())
def test_damage_is_damage(seed: int, seal: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever happens to the bytes: what can be read is what was recorded, in order, from the first on."""
    folder = tmp_path_factory.mktemp("damage")
    identity = age.write_identity(os.fspath(folder / "identity"), "now")
    path = folder / "x.cassette"
    write(path, identity.recipient, VALUES[:20], seal=seal)
    data = bytearray(path.read_bytes())
    chance = random.Random(seed)
    at = chance.randrange(len(data))
    act = chance.randrange(4)
    if act == 0:
        data[at] ^= 1 << chance.randrange(8)
    elif act == 1:
        del data[at:]
    elif act == 2:
        del data[at : at + chance.randrange(1, 200)]
    else:
        data[at:at] = chance.randbytes(chance.randrange(1, 50))
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(keyring.VARIABLE, str(folder / "identity"))
        try:
            with Reader.open(path) as reader:
                found = [reader.event(number).response for number in range(len(reader))]
                status = reader.status
        except ReplayError:
            return
        assert found == VALUES[: len(found)]
        assert status != "sealed" or not verify(path).intact or act == 3
        assert verify(path).intact is False or status == "open" or len(found) == 20


def test_a_journal_cut_anywhere_keeps_what_was_acknowledged(tmp_path: Path, identity: age.Identity) -> None:
    path, cut = tmp_path / "x.cassette", tmp_path / "cut.cassette"
    writer = begin(path, identity.recipient)
    sizes: list[int] = []
    for value in VALUES[:12]:
        add(writer, value)
        writer.flush()
        sizes.append(path.stat().st_size)
    writer.close()
    data = path.read_bytes()
    for size in range(sizes[0], len(data), 13):
        cut.write_bytes(data[:size])
        acknowledged = sum(each <= size for each in sizes)
        assert responses(cut) == VALUES[:acknowledged]
        with Reader.open(cut) as reader:
            assert reader.status == ("open" if size in sizes else "torn")


@pytest.mark.parametrize("how", ["dropped", "swapped", "doubled", "length", "flipped", "short"])
def test_records_of_a_journal_that_were_tampered_with(how: str, tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    write(path, identity.recipient, VALUES[:10], seal=False)
    data = path.read_bytes()
    at = data.index(b"\n--- ")
    at = data.index(b"\n", at + 1) + 1 + age.NONCE
    head, records = data[:at], list[bytes]()
    while at < len(data):
        length, _ = encrypted.RECORD.unpack(data[at : at + encrypted.RECORD.size])
        records.append(data[at : at + encrypted.RECORD.size + length])
        at += encrypted.RECORD.size + length
    if how == "dropped":
        del records[5]
    elif how == "swapped":
        records[5], records[6] = records[6], records[5]
    elif how == "doubled":
        records.insert(5, records[5])
    elif how == "length":
        records[5] = b"\xff\xff\xff\xff" + records[5][4:]
    elif how == "short":
        records[5] = b"\0\0\0\1" + records[5][4:]
    else:
        records[5] = records[5][:-1] + bytes([records[5][-1] ^ 1])
    path.write_bytes(head + b"".join(records))
    report = verify(path)
    assert (report.intact, report.status) == (False, "torn")
    found = responses(path)
    assert found == VALUES[: len(found)]
    assert 3 <= len(found) < 10


def test_headers_that_are_none(tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    write(path, identity.recipient, VALUES[:2], seal=True)
    data = path.read_bytes()
    end = data.index(b"\n--- ")
    for cut in (10, 25, 60, end, end + 10, end + 49, end + 55):
        path.write_bytes(data[:cut])
        with pytest.raises(ReplayError):
            load(path)
    path.write_bytes(encrypted.MAGIC + b"junk")
    with pytest.raises(CassetteDamaged):
        load(path)
    path.write_bytes(age.VERSION.replace(b"1", b"9"))
    with pytest.raises(CassetteForeign):
        load(path)
    path.write_bytes(data[:end].replace(b"X25519", b"x25519") + data[end:])
    with pytest.raises(CassetteEncrypted):
        load(path)
    lines = data[:end].split(b"\n")
    for stanza in (
        b"-> X25519 !!!\n!!!",
        b"-> X25519 AAAA\nAAAA",
        b"-> X25519 AAAA",
        b"-> X25519 " + b"A" * 43 + b"\n" + b"A" * 43,
    ):
        path.write_bytes(b"\n".join([lines[0], stanza]) + data[end:])
        with pytest.raises(CassetteEncrypted):
            load(path)
    path.write_bytes(b"\n".join([lines[0], *lines[1:], b"-> other stanza", b"AAAA"]) + data[end:])
    with pytest.raises(CassetteEncrypted):  # its MAC
        load(path)


def test_another_process_ends_and_seals_it(
    tmp_path: Path, identity: age.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `replay record` does, with an identity that is forgotten then."""
    path = tmp_path / "x.cassette"
    monkeypatch.delenv(keyring.VARIABLE)
    with keyring.lent() as own:
        writer = begin(path, identity.recipient, own.recipient)
        for value in VALUES:
            add(writer, value)
        writer.end({"exit_code": None})
        writer.close()
        with Reader.open(path) as reader:
            assert reader.outcome == {"exit_code": None}
        finish(path, {"exit_code": 3})
        with pytest.raises(CassetteEncrypted):
            load(path)
    monkeypatch.setenv(keyring.VARIABLE, str(tmp_path / "identity"))
    assert responses(path) == VALUES
    with Reader.open(path) as reader:
        assert (reader.status, reader.outcome) == ("sealed", {"exit_code": 3})
    assert verify(path).intact
    assert path.read_bytes().startswith(age.VERSION)


def test_signed_inside(tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    write(path, identity.recipient, VALUES, seal=True)
    public = keys.public_key(keys.new_signing_key(tmp_path / "key"))
    resealing.sign(path, Signer(keys.signing_key(tmp_path / "key")))
    assert verify(path, public).intact
    assert path.read_bytes().startswith(age.VERSION)
    assert responses(path) == VALUES


@pytest.mark.parametrize("recipients", [None, [], "x", [3]])
def test_finishing_without_knowing_for_whom(recipients: Any, tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    writer = Writer.create(path, {"recipients": recipients}, None, lambda fd: journal.Journal(fd, [identity.recipient]))
    writer.end({})
    writer.close()
    with pytest.raises(KeyUnusable):
        finish(path, {})
    assert load(path).status == "open"


def test_large_ones_are_sealed_without_packing(
    tmp_path: Path, identity: age.Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "PACK_UP_TO", 1000)
    path = tmp_path / "x.cassette"
    write(path, identity.recipient, ["y" * (journal.PIECE + 5), *VALUES], seal=True)
    assert len(path.read_bytes()) > journal.PIECE
    assert responses(path)[1:] == VALUES
    assert verify(path).intact
    other = tmp_path / "y.cassette"
    writer = begin(other, identity.recipient)
    add(writer, 1)
    writer.end({})
    writer.close()
    finishing.finish(other, {})
    assert verify(other).intact


FULL = """
import errno, os, resource, signal, sys
from tests.cassette.recordings import add
from tests.cassette.test_encrypted import begin
from replay.cassette import writer as writing
writing.BACKLOG = 20_000
writer = begin(sys.argv[1], sys.argv[2])
writer.flush()
sys.dont_write_bytecode = True  # else a module imported under a limit is left cut off, for all programs
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
"""


def child(code: str, path: Path, identity: age.Identity) -> str:
    code = FULL + code + "\nlimit(resource.RLIM_INFINITY)\n"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), identity.recipient],
        capture_output=True, text=True, timeout=60, check=False,
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_that_has_room_again_loses_nothing(tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    out = child(
        """
limit(8_000)
failed = 0
for number in range(40):
    add(writer, f"{number}" + "x" * 500)
    try:
        writer.flush()
    except OSError:
        failed += 1
limit(resource.RLIM_INFINITY)
add(writer, "last")
writer.flush()
writer.end({})
writer.seal()
print(failed > 5, writer.broken)
""",
        path,
        identity,
    )
    assert out.split() == ["True", "False"]
    assert [value.rstrip("x") for value in responses(path)] == [*map(str, range(40)), "last"]
    assert verify(path).intact


@pytest.mark.parametrize(("size", "count"), [(8_000, 5), (1_100, 0)])
def test_a_disk_that_stays_full_is_given_up(size: int, count: int, tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    out = child(
        f"""
limit({size})
for number in range(200):
    add(writer, "x" * 500)
    try:
        writer.flush()
    except OSError as error:
        last = error
print(writer.broken, last.errno == errno.EFBIG)
""",
        path,
        identity,
    )
    assert out.split() == ["True", "True"]
    with Reader.open(path) as reader:
        assert reader.status in ("open", "torn")
        found = [reader.event(number) for number in range(len(reader))]
        assert {event.response for event in found[:-1]} <= {"x" * 500}
        assert len(found) >= count
        if count:
            assert (reader.status, found[-1].kind, found[-1].request["kind"]) == ("open", "gap", "recording")


@pytest.mark.parametrize("how", ["cut", "removed"])
def test_somebody_cuts_or_removes_it(how: str, tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    writer = begin(path, identity.recipient)
    failures: list[OSError] = []
    writer.on_failure = failures.append
    for number in range(700):
        add(writer, number)
        writer.flush()
        if number == 100:
            os.truncate(path, path.stat().st_size // 2) if how == "cut" else path.unlink()
    assert writer.broken
    assert failures
    writer.close()
    writer.close()
    if how == "cut":
        found = responses(path)
        assert found == list(range(len(found)))


def test_sealing_what_was_cut(tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    writer = begin(path, identity.recipient)
    add(writer, "x" * 1000)
    writer.end({})
    os.truncate(path, path.stat().st_size - 1000)
    with pytest.raises(OSError, match="shorter"):
        writer.seal()
    writer.close()
    assert load(path).status == "torn"


def test_keys_that_are_none(tmp_path: Path, identity: age.Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    good = identity.recipient
    assert age.recipients([good]) == [good]
    (tmp_path / "several").write_text(f"# people\n{good}\n\n{good}\n")
    assert age.recipients([str(tmp_path / "several")]) == [good, good]
    (tmp_path / "junk").write_text("junk\n")
    (tmp_path / "none").write_text("# nobody\n")
    for bad in (
        good[:-1] + ("q" if good[-1] != "q" else "p"),
        good.upper(),
        identity.text,
        str(tmp_path / "junk"),
        str(tmp_path / "none"),
    ):
        with pytest.raises(KeyUnusable) as raised:
            age.recipients([bad])
        assert identity.text not in str(raised.value)
    for bad in (str(tmp_path / "junk"), str(tmp_path / "none"), str(tmp_path / "several"), str(tmp_path)):
        with pytest.raises(KeyUnusable):
            age.read_identities(bad)
    with pytest.raises(KeyUnusable):
        age.new_header(["age1nobody"])
    with pytest.raises(CassetteExists):
        age.write_identity(os.fspath(tmp_path / "identity"), "now")
    with pytest.raises(KeyUnusable):
        begin(tmp_path / "x.cassette", "age1nobody")
    assert not (tmp_path / "x.cassette").exists()
    monkeypatch.setenv(keyring.VARIABLE, str(tmp_path / "junk"))
    write(tmp_path / "y.cassette", good, [1], seal=True)
    with pytest.raises(KeyUnusable):
        load(tmp_path / "y.cassette")
    assert repr(identity) == "<Identity>"


def test_an_altered_chunk_reads_as_nothing(tmp_path: Path, identity: age.Identity) -> None:
    path = tmp_path / "x.cassette"
    write(path, identity.recipient, VALUES, seal=True)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CassetteDamaged):
        load(path)
