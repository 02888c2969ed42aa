"""What would be captured in this environment: installed libraries against seams and the list of native ones."""

from __future__ import annotations

import mmap
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, distributions, version
from typing import Any, Literal

from replay.model.extensions import added
from replay.runtime.natives import NATIVE
from replay.runtime.walls import syscalls
from replay.seams import Target, _added
from replay.seams.registry import SEAMS

State = Literal["seam", "named", "unknown"]
_LARGEST = 32 << 20
_CONNECTS = (b"\0getaddrinfo\0", b"\0connect\0")
_STATES: tuple[State, ...] = ("seam", "named", "unknown")


@dataclass(frozen=True, slots=True)
class Library:
    """An installed distribution. `state`: a seam records it, it is named as a blind spot, or it may do I/O unseen."""

    name: str
    version: str
    state: State
    why: str

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def summary() -> dict[str, str]:
    """Versions, and the walls that a replay would have here."""
    linux = sys.platform == "linux" and bool(syscalls.numbers())
    return {
        "replay": version("agent-replay"),
        "python": f"{sys.implementation.name} {platform.python_version()}",
        "platform": f"{sys.platform}-{platform.machine()}",
        "walls": "audit, and the kernel's as far as it has them" if linux else "audit",
    }


def libraries() -> list[Library]:
    """The installed ones that matter here, by state and name."""
    theirs, _ = _added.found(added("seams"))
    covered = {
        _top(target): f"seam {seam.name}, where it is named (--seam)" for seam in theirs for target in seam.targets
    }
    covered |= {_top(target): f"seam {seam.name}, tried with {seam.tried}" for seam in SEAMS for target in seam.targets}
    native = {name.partition(".")[0]: why for name, why in NATIVE.items()}
    found: dict[str, Library] = {}
    for each in distributions():
        name, number = each.metadata["Name"], each.version
        for module in _modules(each):
            if module in covered:
                found[name] = Library(name, number, "seam", covered[module])
            elif module in native:
                found.setdefault(name, Library(name, number, "named", native[module]))
        if name not in found and any(map(_connects, _extensions(each))):
            found[name] = Library(name, number, "unknown", "its native code names connect() and getaddrinfo()")
    return sorted(found.values(), key=lambda each: (_STATES.index(each.state), each.name.lower()))


def _top(target: Target) -> str:
    return target.module.partition(".")[0]


def _modules(distribution: Distribution) -> set[str]:
    """Top-level names that it installs."""
    tops = {str(file).partition("/")[0] for file in distribution.files or ()}
    return {top.partition(".")[0] for top in tops if not top.endswith((".dist-info", ".data", "..")) and top != "bin"}


def _extensions(distribution: Distribution) -> Iterator[str]:
    for file in distribution.files or ():
        if ".so" in file.name:
            yield str(distribution.locate_file(file))


def _connects(path: str) -> bool:
    """Whether a native library uses the C library's connections: by the names in its symbol table."""
    try:
        if not 0 < os.path.getsize(path) <= _LARGEST:
            return False
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(name) >= 0 for name in _CONNECTS)
    except OSError:
        return False
