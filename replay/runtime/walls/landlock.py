"""Landlock: the kernel knows which directories may change, executes nothing, and opens no TCP connection."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from typing import Any

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
_NO_NEW_PRIVS = 38
_BENEATH, _ASK_VERSION = 1, 1
_EXECUTE = 1 << 0
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_WRITE = _WRITE_FILE | 0b1111_1111_1 << 4 | 1 << 13
"""Files written; removed and made, of any kind; moved from one directory to another."""
_CONNECT_TCP = 1 << 1
_ABSTRACT_SOCKETS = 1 << 0


def install(writable: Iterable[str], *, connects: bool) -> bool:
    """Restrict this thread and all that comes of it; whether that worked.

    Args:
        writable: directories below which anything may change, and single files.
        connects: leave connections alone.
    """
    libc: Any = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(ctypes.c_long(_CREATE), None, ctypes.c_size_t(0), _ASK_VERSION)
    if version < 2:  # the first version forbids moves between directories, wherever they are
        return False
    writing = _WRITE | (_TRUNCATE if version >= 3 else 0)
    net = 0 if connects or version < 4 else _CONNECT_TCP
    scoped = 0 if connects or version < 6 else _ABSTRACT_SOCKETS
    attributes = struct.pack("=QQQ", writing | _EXECUTE, net, scoped)[: 8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(ctypes.c_long(_CREATE), attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for path in writable:
            if not _allow(libc, ruleset, path, writing):
                return False
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        return int(libc.syscall(ctypes.c_long(_RESTRICT), ruleset, 0)) == 0
    finally:
        os.close(ruleset)


def _allow(libc: Any, ruleset: int, path: str, writing: int) -> bool:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return True  # what isn't there can't change
    try:
        rights = writing if os.path.isdir(path) else writing & (_WRITE_FILE | _TRUNCATE)
        rule = struct.pack("=Qi", rights, place)
        return int(libc.syscall(ctypes.c_long(_ADD_RULE), ruleset, _BENEATH, rule, 0)) == 0
    finally:
        os.close(place)
