"""`@pytest.mark.replay_cassette`: where a test's cassette lies, what is in it, and how it is written.

It is named as pytest-recording does: `cassettes/<module>/<Class.test[parameter]>` beside the module. Read is
`….cassette`, or else vcrpy's `….yaml`, as it is; written is `….cassette`, which from then on is what is read.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pytest

from replay.cassette.cassette import load
from replay.cassette.header import entropy
from replay.cassette.redact import Redactor
from replay.cassette.writer import Writer
from replay.interop.vcr.reading import events
from replay.model.errors import ReplayError
from replay.model.visible import one_line
from replay.pytest_plugin.episodes import MATCH_ON, Episode, Episodes, Mode
from replay.pytest_plugin.stubs import stubbed

ENTRY = "episodes"
"""The type of `header["entry"]`: there is no program, only what a test asked."""

_FORBIDDEN = str.maketrans(dict.fromkeys(r"<>?%*:|\"'/\\", "-"))
_SUFFIXES = (".cassette", ".yaml", ".yml")
_STREAM, _PIECE, _END = 2, 0, 3
_LOCAL = ("localhost", "127.0.0.1", "0.0.0.0", "::1")
_KNOWN = frozenset(
    "record_mode match_on allow_playback_repeats ignore_hosts ignore_localhost filter_headers filter_query_parameters "
    "decode_compressed_response record_on_exception serializer allowed_hosts".split()
)


@contextmanager
def around(request: pytest.FixtureRequest, chosen: str | None) -> Generator[Episodes]:
    """The fixture: the episodes of the test that asks, while it runs.

    Args:
        chosen: the mode of the command line, which comes before the marker's and the configuration's.
    """
    item = cast("pytest.Item", request.node)
    settings = _settings(request, item)
    folder = Path(_of_suite(request, "vcr_cassette_dir") or item.path.parent / "cassettes" / item.path.stem)
    path = folder / _name(item)
    mode = cast(
        "Mode", chosen or str(getattr(settings.get("record_mode"), "value", settings.get("record_mode") or "none"))
    )
    found = [file for file in (_existing(path), *_more(item, folder)) if file is not None]
    beside = _existing(folder.parent / path.name)  # as pytest-vcr names it
    if not found and beside is not None:
        found = [beside]
    try:
        loaded = [episode for file in found for episode in read(file)] if found else None
        episodes = Episodes(
            mode,
            loaded,
            match_on=settings.get("match_on") or MATCH_ON,
            repeats=bool(settings.get("allow_playback_repeats")),
            ignored=[*(settings.get("ignore_hosts") or ()), *(_LOCAL if settings.get("ignore_localhost") else ())],
            where=str(found[0] if found else path.with_name(f"{path.name}.cassette")),
        )
    except ReplayError as error:
        pytest.fail(str(error), pytrace=False)
    item.user_properties.append(("replay_cassette", str(found[0] if found else path)))
    try:
        with stubbed(episodes):
            yield episodes
    finally:
        if episodes.new:
            write(episodes.saved(), path.with_name(f"{path.name}.cassette"), settings)
    if episodes.refused:
        item.add_report_section(
            "call", "replay", "\n".join(f"not recorded: {one_line(each)}" for each in episodes.refused)
        )


def read(path: Path) -> Iterator[Episode]:
    """The HTTP exchanges in a cassette, ours or vcrpy's.

    Raises:
        CassetteMissing, CassetteUnreadable, CassetteDamaged.
    """
    if path.suffix != ".cassette":
        yield from (Episode.of(event, vcr=True) for event in events(path) if event.kind == "http")
        return
    with load(path) as cassette:
        yield from (
            Episode.of(event)
            for event in cassette.events
            if event.kind == "http" and event.status in ("done", "streamed")
        )


def write(episodes: list[Episode], path: Path, settings: Mapping[str, Any]) -> None:
    """Put a cassette in the place of the one that is there, whole or not at all. Secrets are replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        made.unlink()
    writer = Writer.create(made, {"name": path.stem, "entry": {"type": ENTRY}}, Redactor(entropy(16)))
    try:
        writer.lane(0, "m")
        for each in episodes:
            _write(writer, each, settings)
        writer.end({})
        writer.seal()
    finally:
        writer.close()
    os.replace(made, path)


def _write(writer: Writer, each: Episode, settings: Mapping[str, Any]) -> None:
    kind, name, request, body = each.request
    request = _filtered(request, settings)
    effect = "read" if request["method"].upper() in ("GET", "HEAD", "OPTIONS", "TRACE") else "write"
    status = _STREAM if each.streams else 0
    number = writer.event(0, kind, name, effect, 0, None, request, body, name, None, 0, status, each.head)
    if each.streams:
        for piece in each.pieces:
            writer.chunk(number, 0, 0, _PIECE, piece, False)
        writer.chunk(number, 0, 0, _END, None, False)


def _filtered(request: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Without the headers and parameters that the suite's configuration names; what looks like a secret is replaced
    by the writer."""
    headers = {_first(each).lower() for each in settings.get("filter_headers") or ()}
    parameters = {_first(each) for each in settings.get("filter_query_parameters") or ()}
    parts = urlsplit(str(request["url"]))
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in parameters]
    url = urlunsplit(parts._replace(query=urlencode(kept))) if parameters else request["url"]
    return {**request, "url": url, "headers": [line for line in request["headers"] if line[0].lower() not in headers]}


def _first(each: Any) -> str:
    return each if isinstance(each, str) else str(each[0])


# -- names and settings --------------------------------------------------------------------------------------------


def _name(item: pytest.Item) -> str:
    """`Class.test[parameter]`, without what no file name may have, and not too long for one."""
    mark = item.get_closest_marker("default_cassette")
    if mark is not None and mark.args:
        name = str(mark.args[0])
        return name.removesuffix(Path(name).suffix) if Path(name).suffix in _SUFFIXES else name
    owner: type | None = getattr(item, "cls", None)
    name = item.name if owner is None else f"{owner.__name__}.{item.name}"
    name = name.translate(_FORBIDDEN)
    if len(name) + len(".yaml") > 255:
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        name = f"{name[: 255 - len('.yaml') - len(digest) - 3]}...{digest}"
    return name


def _existing(path: Path) -> Path | None:
    if path.suffix in _SUFFIXES and path.exists():
        return path
    return next((file for suffix in _SUFFIXES if (file := path.with_name(path.name + suffix)).exists()), None)


def _more(item: pytest.Item, folder: Path) -> Iterator[Path | None]:
    """Further cassettes that markers name: they are read, and not written."""
    for mark in item.iter_markers("replay_cassette"):
        for name in mark.args:
            yield _existing(folder / str(name)) or _existing(item.path.parent / str(name))


def _settings(request: pytest.FixtureRequest, item: pytest.Item) -> dict[str, Any]:
    """Of the suite's `vcr_config`, and of markers; the closest one wins."""
    found: dict[str, Any] = dict(_of_suite(request, "vcr_config") or {})
    for mark in reversed(list(item.iter_markers("replay_cassette"))):
        found |= mark.kwargs
    unknown = sorted(set(found) - _KNOWN)
    if unknown:
        warnings.warn(
            pytest.PytestWarning(f"replay_cassette: {', '.join(unknown)} mean nothing here (docs/migrating.md)"),
            stacklevel=1,
        )
    return found


def _of_suite(request: pytest.FixtureRequest, name: str) -> Any:
    """What a fixture of pytest-recording's names says, where the suite has one."""
    try:
        return request.getfixturevalue(name)
    except pytest.FixtureLookupError:
        return None
