"""Signatures: what somebody can do who may write the file and knows the format, but hasn't the key."""

from __future__ import annotations

import builtins
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.cassette import directory, keys, resealing, signing, writer
from replay.cassette import frame as f
from replay.cassette.signing import Marks, Signer, check
from replay.cassette.verify import verify
from replay.model.errors import CassetteDamaged, CassetteExists, KeyUnusable, UsageError
from tests.cassette import forging
from tests.cassette.recordings import add, begin, record

EVENTS = 40


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, bytes]:
    path = tmp_path_factory.mktemp("keys") / "evidence.key"
    public = keys.new_signing_key(path)
    return Signer(keys.signing_key(path)), keys.public_key(public)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, signer: tuple[Signer, bytes]) -> bytes:
    """A signed cassette: events in one frame and in two, streams whose pieces come late, several CHAIN frames."""
    path = tmp_path_factory.mktemp("signed") / "x.cassette"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SEGMENT_BYTES", 700)
        recording = begin(path)
        recording.sign = signing.by(signer[0]._key, recording.header["id"])  # pyright: ignore[reportPrivateUsage]
        stream = None
        for one in range(EVENTS):
            if one % 3 == 2:
                event = recording.call(0, "llm", "chat", "read", one, 0, [one], None, None, None)
                recording.ret(event, one, 2, "head", False)
                stream = event
            else:
                add(recording, f"value {one}")
            if stream is not None:
                recording.chunk(stream, 0, one, 0, f"piece {one}", False)
        recording.end({"exit_code": 0})
        recording.seal()
        recording.close()
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, signed: bytes) -> Path:
    path = tmp_path / "x.cassette"
    path.write_bytes(signed)
    return path


def places(frames: forging.Frames, event: int) -> list[int]:
    return [at for at, frame in enumerate(frames) if frame[1] == event]


def test_signed_and_untouched(path: Path, signer: tuple[Signer, bytes]) -> None:
    report = verify(path, signer[1])
    assert (report.intact, report.problem, report.status, report.events) == (True, None, "sealed", EVENTS)
    assert [(each.key, each.genuine) for each in report.signatures] == [(signer[1], True)]
    assert report.chains > 3
    frames, signatures = forging.taken(path)
    forging.put(path, frames, signatures)
    assert verify(path, signer[1]).intact, "the same frames, laid out otherwise, are the same evidence"


@pytest.mark.parametrize("renumbered", [False, True])
@pytest.mark.parametrize("event", range(EVENTS))
def test_each_event_altered_dropped_reordered_or_cut_off_is_named(
    event: int, renumbered: bool, path: Path, signer: tuple[Signer, bytes]
) -> None:
    """Checksums, CHAIN frames and the footer fit again each time."""
    frames, signatures = forging.taken(path)
    first, *rest = places(frames, event)
    forged: dict[str, forging.Frames] = {}
    changed = list(frames)
    type_, number, payload = frames[first]
    changed[first] = (type_, number, payload.replace(b"add", b"sub").replace(b"chat", b"chap"))
    forged["altered"] = changed
    forged["dropped"] = [frame for frame in frames if frame[1] != event]
    if event + 1 < EVENTS:
        swapped = list(frames)
        other = places(frames, event + 1)[0]
        swapped[first], swapped[other] = swapped[other], swapped[first]
        forged["reordered"] = swapped
    forged["truncated"] = frames[:first]
    for how, made in forged.items():
        made = forging.number(made) if renumbered else made
        forging.put(path, made, signatures)
        report = verify(path, signer[1])
        assert (report.intact, report.event) == (False, event), (how, report)
        if how == "truncated":
            assert report.problem == how
        forging.put(path, made, ())
        assert not verify(path, signer[1]).intact, "without the signature it isn't signed"
    for late in rest:
        changed = list(frames)
        changed[late] = (frames[late][0], frames[late][1], frames[late][2].replace(b"e", b"E"))
        if changed != frames:
            forging.put(path, changed, signatures)
            report = verify(path, signer[1])
            assert (report.problem, report.event) == ("altered", event)


@pytest.mark.parametrize(
    ("how", "problem"),
    [("drop", "dropped"), ("swap", "reordered"), ("twice", "altered"), ("more", "altered"), ("cut", "truncated")],
)
def test_the_kind_of_forgery(how: str, problem: str, path: Path, signer: tuple[Signer, bytes]) -> None:
    frames, signatures = forging.taken(path)
    pieces = [at for at, frame in enumerate(frames) if frame[0] == f.CHUNK]
    at, late = pieces[3], pieces[4]  # of one stream
    if how == "drop":
        del frames[at]
    elif how == "swap":
        frames[at], frames[late] = frames[late], frames[at]
    elif how == "twice":
        frames.insert(at, (f.CHUNK, frames[at][1], frames[at][2].replace(b"piece", b"forged")))
    elif how == "more":
        frames.append((f.TRACK, f.NO_EVENT, b"\x90"))
    else:
        del frames[-1]
    forging.put(path, frames, signatures)
    report = verify(path, signer[1])
    assert (report.intact, report.problem, report.status) == (False, problem, "sealed")


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_whatever_is_done_to_the_frames_is_found(
    seed: int, signed: bytes, signer: tuple[Signer, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("forged") / "x.cassette"
    path.write_bytes(signed)
    chance = random.Random(seed)
    before, signatures = forging.taken(path)
    frames = list(before)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(1, len(frames))
        act = chance.randrange(4)
        if act == 0:
            frames.insert(chance.randrange(1, len(frames)), frames.pop(at))
        elif act == 1:
            del frames[at]
        elif act == 2:
            frames.insert(at, frames[at])
        else:
            type_, event, payload = frames[at]
            frames[at] = (type_, event, payload[:-1] + bytes([payload[-1] ^ 1]))
    chains = [frame for frame in frames if frame[0] != f.CHAIN]
    if chains == [frame for frame in before if frame[0] != f.CHAIN] and len(frames) == len(before):
        return  # only CHAIN frames were touched, and they were made to fit again
    forging.put(path, frames, signatures)
    assert not verify(path, signer[1]).intact


def test_a_signature_by_somebody_else(path: Path, signer: tuple[Signer, bytes], tmp_path: Path) -> None:
    """Altered, and signed anew: only who knows the right key sees it."""
    frames, _ = forging.taken(path)
    at = places(frames, 7)[0]
    frames[at] = (*frames[at][:2], frames[at][2].replace(b"add", b"sub"))
    forging.put(path, frames, ())
    other = tmp_path / "other.key"
    keys.new_signing_key(other)
    resealing.sign(path, Signer(keys.signing_key(other)))
    assert verify(path).intact
    report = verify(path, signer[1])
    assert (report.intact, report.problem) == (False, "signature")
    assert keys.fingerprint(keys.public_key(f"{other}.pub")) in report.detail


def test_signed_twice(path: Path, signer: tuple[Signer, bytes], tmp_path: Path) -> None:
    before = path.read_bytes()
    other = tmp_path / "other.key"
    public = keys.public_key(keys.new_signing_key(other))
    resealing.sign(path, Signer(keys.signing_key(other)))
    assert path.stat().st_mode & 0o777 == 0o644 & ~_umask()
    assert verify(path, signer[1]).intact
    assert verify(path, public).intact
    frames, signatures = forging.taken(path)
    path.write_bytes(before)
    assert forging.taken(path)[0] == frames
    assert len(signatures) == 2


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        {"key": b"", "statement": b"", "signature": b""},
        {"key": b"k" * 32, "statement": b"", "signature": b"x"},
    ],
)
def test_signatures_that_are_none(entry: Any, path: Path, signer: tuple[Signer, bytes]) -> None:
    frames, _ = forging.taken(path)
    forging.put(path, frames, [entry])
    for key in (None, signer[1]):
        report = verify(path, key)
        assert (report.intact, report.problem) == (False, "signature")


def test_a_statement_of_another_shape_and_of_another_cassette(signer: tuple[Signer, bytes]) -> None:
    private = signer[0]._key  # pyright: ignore[reportPrivateUsage]
    for statement in (b"\xc1", b"\x93\x01\x02\x03", b"\x80"):
        entry = {"key": signer[1], "statement": statement, "signature": private.sign(signing.DOMAIN + statement)}
        assert check(entry, Marks(), "id").genuine is False
    found = check(signer[0].sign(Marks(), "one"), Marks(), "other")
    assert found.difference is not None
    assert "another cassette" in found.difference.detail
    assert check(signer[0].sign(Marks(), "one"), Marks(), "one").difference is None


def test_a_recording_without_events(tmp_path: Path, signer: tuple[Signer, bytes]) -> None:
    path = tmp_path / "x.cassette"
    record(path, [], seal=True)
    resealing.sign(path, signer[0])
    frames, signatures = forging.taken(path)
    forging.put(path, frames[:2], signatures)
    report = verify(path, signer[1])
    assert (report.problem, report.event) == ("truncated", None)


def test_damage_is_located_by_the_signature(path: Path, signer: tuple[Signer, bytes]) -> None:
    """Somebody altered the bytes and nothing else: the checksums say that, and the signature says which event."""
    frames, signatures = forging.taken(path)
    forging.put(path, frames, signatures)
    path.write_bytes(path.read_bytes().replace(b"value 12", b"value I2"))
    report = verify(path, signer[1])
    assert (report.problem, report.event, report.status) == ("altered", 12, "torn")


def test_only_whole_sealed_ones_are_signed(tmp_path: Path, path: Path, signer: tuple[Signer, bytes]) -> None:
    unsealed = tmp_path / "open.cassette"
    record(unsealed, [1, 2, 3])
    with pytest.raises(UsageError, match="isn't sealed"):
        resealing.sign(unsealed, signer[0])
    path.write_bytes(path.read_bytes()[:-40])
    before = path.read_bytes()
    with pytest.raises(CassetteDamaged, match="isn't whole"):
        resealing.sign(path, signer[0])
    assert path.read_bytes() == before
    assert not verify(unsealed, signer[1]).intact


def test_a_family(tmp_path: Path, path: Path, signer: tuple[Signer, bytes]) -> None:
    folder = tmp_path / "x.d"
    folder.mkdir()
    record(folder / "1.cassette", [1], seal=True)
    record(folder / "2.cassette", [1])
    (unsigned,) = resealing.sign_all(directory.descendants(path), signer[0])
    assert "2.cassette: not signed" in unsigned
    assert verify(folder / "1.cassette", signer[1]).intact


def test_keys_of_other_programs(tmp_path: Path, path: Path) -> None:
    """OpenSSL's form is ours; OpenSSH's is read, too."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    none = form.NoEncryption()
    (tmp_path / "ssh").write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, none))
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    (tmp_path / "ssh.pub").write_bytes(public + b" me@here\n")
    resealing.sign(path, Signer(keys.signing_key(tmp_path / "ssh")))
    assert verify(path, keys.public_key(tmp_path / "ssh.pub")).intact


def test_keys_that_are_none(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    mine = tmp_path / "mine"
    keys.new_signing_key(mine)
    assert mine.stat().st_mode & 0o777 == 0o600
    junk = tmp_path / "junk"
    junk.write_bytes(b"junk")
    other = X25519PrivateKey.generate()
    wrong = tmp_path / "wrong"
    wrong.write_bytes(other.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    public = form.PublicFormat.SubjectPublicKeyInfo
    (tmp_path / "wrong.pub").write_bytes(other.public_key().public_bytes(form.Encoding.PEM, public))
    for path in (tmp_path / "none", junk, wrong, tmp_path):
        with pytest.raises(KeyUnusable):
            keys.signing_key(path)
    for path in (junk, tmp_path / "wrong.pub"):
        with pytest.raises(KeyUnusable):
            keys.public_key(path)
    with pytest.raises(KeyUnusable, match=r"\.pub"):
        keys.public_key(mine)
    with pytest.raises(CassetteExists):
        keys.new_signing_key(mine)
    os.unlink(f"{mine}.pub")
    with pytest.raises(CassetteExists):
        keys.new_signing_key(mine)


def test_without_cryptography_nothing_is_said_to_be_checked(
    path: Path, signer: tuple[Signer, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", missing)
    report = verify(path)
    assert (report.intact, [each.genuine for each in report.signatures]) == (True, [None])
    with pytest.raises(KeyUnusable, match="cryptography"):
        verify(path, signer[1])
    with pytest.raises(KeyUnusable, match="cryptography"):
        keys.new_signing_key(tmp_path / "new")
