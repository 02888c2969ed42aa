"""The options of recording, in one table: from the environment, from pyproject.toml, and their defaults.

Whoever asks gets, in this order: what the call or the command line says, `REPLAY_*` of the environment, `[tool.replay]`
of the nearest pyproject.toml, the default. `docs/configuration.md` is written from the table.
"""

from __future__ import annotations

import functools
import os
import re
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from replay.model.errors import UsageError


class Option(NamedTuple):
    """One option.

    Attributes:
        name: as in pyproject.toml, with `_` for `-` in Python. variable: of the environment.
        read: makes a value of a text; raises ValueError. form: what a text looks like.
        flag: of `replay record`, where it has one. help: one sentence.
    """

    name: str
    variable: str
    read: Callable[[str], Any]
    form: str
    default: Any
    flag: str | None
    help: str


def _switch(text: str) -> bool:
    known = {"on": True, "1": True, "true": True, "yes": True, "off": False, "0": False, "false": False, "no": False}
    return known[text.strip().lower()] if text.strip().lower() in known else _wrong("on or off")


def _seconds(text: str) -> float:
    value = float(text)
    return value if 0 <= value < float("inf") else _wrong("a number of seconds")


_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30}
_AGES = {"": 1, "S": 1, "M": 60, "H": 3600, "D": 86400, "W": 7 * 86400}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?) *([a-z]*)", re.IGNORECASE)


def _amount(text: str, units: Mapping[str, int], form: str) -> float:
    found = _AMOUNT.fullmatch(text.strip())
    unit = None if found is None else units.get(found[2].upper())
    return _wrong(form) if found is None or unit is None else float(found[1]) * unit


def size(text: str) -> int:
    """Bytes, of `64MB` and the like. Raises ValueError."""
    return int(_amount(text, _SIZES, "a size such as 64MB"))


def _age(text: str) -> float:
    return _amount(text, _AGES, "an age such as 7d or 12h")


def _share(text: str) -> float:
    value = float(text)
    return value if 0 <= value <= 1 else _wrong("a number from 0 to 1")


def _signal(text: str) -> str:
    name = f"SIG{text.upper().removeprefix('SIG')}"
    return name if name in signal.Signals.__members__ else _wrong("a signal such as SIGUSR2")


def _text(text: str) -> str | None:
    return text or None


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = pair.partition("=")
        found[key] = value if equals and key else _wrong("K=V,K=V")
    return found


def _one_of(*allowed: str) -> Callable[[str], str]:
    return lambda text: text if text in allowed else _wrong(" or ".join(allowed))


def _wrong(wanted: str) -> Any:
    raise ValueError(f"expected {wanted}")


TABLE = (
    Option("enabled", "REPLAY", _switch, "on, off", True, None, "Whether entry points and applications record."),
    Option("directory", "REPLAY_DIR", _text, "a path", ".replay", None, "Where cassettes go."),
    Option("name", "REPLAY_NAME", _text, "text", None, "--name", "A name for the header."),
    Option("tags", "REPLAY_TAGS", _pairs, "K=V,K=V", {}, "--tag", "Labels for the header."),
    Option(
        "threads", "REPLAY_THREADS", _one_of("order", "strict"), "order, strict", "order", "--threads",
        "strict: one thread at a time, so that data races in memory replay exactly; slower.",
    ),
    Option("audit", "REPLAY_AUDIT", _switch, "on, off", False, "--audit", "Name what C extensions open."),
    Option(
        "seams", "REPLAY_SEAMS", _list, "NAME,NAME", (), "--seam",
        "Seams of other packages that are installed, too: docs/plugins.md.",
    ),
    Option("redact", "REPLAY_REDACT", _text, "a path", None, "--redact", "A file of redaction rules."),
    Option(
        "linger", "REPLAY_LINGER", _seconds, "seconds", 60.0, None,
        "How long tasks, threads and jobs that outlive a recorded call stay with it.",
    ),
    Option(
        "propagate", "REPLAY_PROPAGATE", _one_of("auto", "always", "off"), "auto, always, off", "auto", None,
        "Whether requests and child processes are told the trace (`traceparent`); auto: where this process was told.",
    ),
    Option(
        "flight_recorder", "REPLAY_FLIGHT_RECORDER", size, "a size (64MB)", 0, "--flight-recorder",
        "Keep the newest events only, and save them on failure, by signal or `replay.dump`.",
    ),
    Option("sample", "REPLAY_SAMPLE", _share, "0 to 1", 1.0, "--sample", "Record this share, by trace id."),
    Option(
        "keep", "REPLAY_KEEP", _one_of("always", "on-failure"), "always, on-failure", "always", "--keep",
        "on-failure: what ends well is removed.",
    ),
    Option(
        "retain_age", "REPLAY_RETAIN_AGE", _age, "an age (7d, 12h)", 0.0, "--retain-age",
        "Remove sealed cassettes of the directory that are older.",
    ),
    Option(
        "retain_size", "REPLAY_RETAIN_SIZE", size, "a size (2GB)", 0, "--retain-size",
        "Remove the oldest sealed cassettes of the directory beyond this much in all.",
    ),
    Option(
        "dump_signal", "REPLAY_DUMP_SIGNAL", _signal, "a signal", "SIGUSR2", None,
        "The signal that saves flight recorders."
    ),
    Option("sign", "REPLAY_SIGN", _text, "a path", None, "--sign", "Sign cassettes with this private ed25519 key."),
    Option(
        "encrypt", "REPLAY_ENCRYPT", _list, "age1…,age1… or a path", (), "--encrypt",
        "Encrypt cassettes for these age recipients: the host that records can't read them any more.",
    ),
    Option(
        "trusted", "REPLAY_TRUSTED", _list, "tool NAME,host NAME,…", (), None,
        "Sources that may ask for things, for `why`, `triage` and `check`: docs/check.md.",
    ),
    Option(
        "untrusted", "REPLAY_UNTRUSTED", _list, "tool NAME,host NAME,…", (), None,
        "Sources that strangers may have written.",
    ),
    Option(
        "upload", "REPLAY_UPLOAD", _text, "a URL", None, "--upload",
        "Where sealed cassettes are copied to, in the background.",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """The options that hold here, one attribute for each of `TABLE`."""

    enabled: bool
    directory: str
    name: str | None
    tags: Mapping[str, str]
    threads: str
    audit: bool
    seams: tuple[str, ...]
    redact: str | None
    linger: float
    propagate: str
    flight_recorder: int
    sample: float
    keep: str
    retain_age: float
    retain_size: int
    dump_signal: str
    sign: str | None
    encrypt: tuple[str, ...]
    trusted: tuple[str, ...]
    untrusted: tuple[str, ...]
    upload: str | None


def current(environ: Mapping[str, str] | None = None, directory: str | None = None) -> Options:
    """What the environment and pyproject.toml say.

    Args:
        environ: this process's by default. directory: where to look for pyproject.toml, upward; the current one.

    Raises:
        UsageError: a value that can't be read; it names the variable or the key.
    """
    variables = os.environ if environ is None else environ
    settings = project(directory or os.getcwd())
    found: dict[str, Any] = {}
    for option in TABLE:
        if option.variable in variables:
            found[option.name] = _read(option, variables[option.variable], option.variable)
        elif option.name in settings:
            found[option.name] = _read(option, _as_text(settings[option.name]), f"tool.replay.{option.name}")
        else:
            found[option.name] = option.default
    found["directory"] = found["directory"] or ".replay"
    return Options(**found)


def read(name: str, value: object) -> Any:
    """The value of an option that somebody gives as a text or a value.

    Raises:
        UsageError: it can't be read.
    """
    option = next((option for option in TABLE if option.name == name), None)
    if option is None:
        raise UsageError(f"there is no option {name!r}", hint="docs/configuration.md")
    return _read(option, _as_text(value), name.replace("_", "-"))


def _read(option: Option, text: str, where: str) -> Any:
    try:
        return option.read(text)
    except ValueError as error:
        raise UsageError(f"{where} is {text!r}: {error}", hint="docs/configuration.md") from None


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        several: list[Any] = value  # pyright: ignore[reportUnknownVariableType]
        return ",".join(map(str, several))
    if isinstance(value, Mapping):
        known: Mapping[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return ",".join(f"{key}={each}" for key, each in known.items())
    return str(value)


@functools.cache
def project(directory: str) -> Mapping[str, Any]:
    """`[tool.replay]` of the nearest pyproject.toml; empty where there is none.

    Raises:
        UsageError: a key that isn't an option.
    """
    for where in (Path(directory), *Path(directory).parents):
        file = where / "pyproject.toml"
        if not file.is_file():
            continue
        import tomllib  # only where there is something to read

        try:
            settings: dict[str, Any] = tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("replay", {})
        except (OSError, ValueError):
            return {}  # others read that file, too, and say what is wrong with it
        for key in settings:
            if key.replace("-", "_") not in {option.name for option in TABLE}:
                raise UsageError(f"{file}: tool.replay.{key} isn't an option", hint="docs/configuration.md")
        return {key.replace("-", "_"): value for key, value in settings.items()}
    return {}
