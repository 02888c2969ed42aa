"""Which accesses to files are inputs and effects of the program, and which belong to the installation.

- *Who asks*: the innermost caller that isn't standard library. The program's own code and installed libraries count;
  the import system, what prints source lines (`linecache`, `inspect`) and the interpreter's own C code don't.
- *Where*: what the interpreter and its packages consist of (the standard library, site-packages, shared data of the
  system) is read as it is, in both modes, as are code files that a library reads. A file in there that the program has
  written is an ordinary file.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from types import FrameType

from replay.boundary import sites

NOBODY, PROGRAM, LIBRARY = range(3)
_STANDARD, _NONE = 3, 4
_MACHINERY = ("linecache.py", "inspect.py", "pkgutil.py", "runpy.py", "zipimport.py", "py_compile.py", "sysconfig.py")
CODE = (".py", ".pyc", ".pyi", ".so", ".pth", ".egg-link", ".typed")
"""How names of code files end."""
_SEAMS = os.path.join(os.path.dirname(os.path.dirname(sites.__file__)), "seams", "")
HARMLESS = frozenset(("/dev/null", "/dev/zero", "/dev/full"))
"""Devices that give nothing away and keep nothing."""


def _roots() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib", "scripts", "include")
    paths = {sysconfig.get_paths().get(name) for name in names}
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix):
        paths |= {os.path.join(prefix, "lib"), os.path.join(prefix, "share"), os.path.join(prefix, "pyvenv.cfg")}
    paths |= {"/usr/lib", "/usr/share", "/usr/local/lib", "/lib", os.path.dirname(os.path.dirname(sites.__file__))}
    known = [path for path in paths if path]
    return tuple(sorted({*known, *map(os.path.realpath, known)}))


_ROOTS = _roots()
_BELOW = tuple(root + os.sep for root in _ROOTS)
_SYSTEM = ("/etc/os-release", "/etc/lsb-release", "/etc/debian_version", "/etc/redhat-release", "/etc/localtime")
_SAME = frozenset((*_ROOTS, *HARMLESS, *_SYSTEM))
written: set[str] = set()
"""Absolute paths that this process has made or written."""


class _Kinds(dict[str, int]):
    """File name of code → who that is."""

    def __missing__(self, name: str) -> int:
        known = self[name] = _kind(name)
        return known


def _kind(name: str) -> int:
    if name.startswith(("<frozen importlib", "<frozen zipimport", "<frozen runpy")):
        return NOBODY
    if not sites.is_library(name):
        return PROGRAM
    if name.startswith(_SEAMS):
        return NOBODY  # a seam that looks at something for itself
    if sites.is_ours(name) or name.startswith("<"):
        return _NONE
    parts = name.split(os.sep)
    if "site-packages" in parts or "dist-packages" in parts:
        return LIBRARY
    importing = len(parts) > 1 and parts[-2] in ("importlib", "metadata") and "resources" not in parts
    return NOBODY if importing or parts[-1] in _MACHINERY else _STANDARD


_kinds = _Kinds()


def asker(frame: FrameType | None) -> int:
    """Who asks: PROGRAM, LIBRARY, or NOBODY for the interpreter's own business."""
    found = NOBODY
    while frame is not None:
        kind = _kinds[frame.f_code.co_filename]
        if kind < _STANDARD:
            return kind
        if kind == _STANDARD:
            found = PROGRAM  # that handed a function of the standard library to a thread
        frame = frame.f_back
    return found


def installed(path: str) -> bool:
    """Whether that absolute path is part of the installation, or a device that gives nothing away."""
    return (path.startswith(_BELOW) or path in _SAME) and path not in written


def is_code(path: str) -> bool:
    """Whether a library that reads it loads code."""
    return path.endswith(CODE) and path not in written
