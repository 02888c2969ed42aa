"""A seccomp filter: every call to the kernel that could change the world waits for the launcher's answer.

The answer comes from another process (`supervisor`), since a thread of this one couldn't run while native code holds
the interpreter. The filter's listening descriptor is handed over by a thread that started before the filter was there:
handing it over is itself a call that the filter would stop.
"""

from __future__ import annotations

import array
import ctypes
import errno
import os
import socket
import struct
import sys
from typing import Any

from replay.boundary import originals
from replay.runtime import places
from replay.runtime.walls import syscalls

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_REFUSE, _ABSENT = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
_X32 = 0x40000000
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_FILTER, _NEW_LISTENER = 1, 8
_NO_NEW_PRIVS = 38

Op = tuple[int, int, int, int]
"""(code, jump if true, jump if false, constant)"""


def program(machine: str, pid: int) -> bytes:
    """The filter, as the kernel reads it.

    Args:
        machine: as `platform.machine()` says. pid: the process that may send signals to itself.
    """
    _, arch = syscalls.ARCHES[machine]
    ops: list[Op] = [(_LOAD, 0, 0, _ARCH), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, _NUMBER)]
    if machine == "x86_64":
        ops += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for name, number in syscalls.numbers(machine).items():
        rule = _rule(name, pid)
        ops += [(_EQUAL, 0, len(rule), number), *rule]
    ops.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *op) for op in ops)


def _rule(name: str, pid: int) -> list[Op]:
    ask, allow = (_RETURN, 0, 0, _ASK), (_RETURN, 0, 0, _ALLOW)
    if name in syscalls.ABSENT:
        return [(_RETURN, 0, 0, _ABSENT)]
    if name in syscalls.OPEN_FLAGS:
        return [_low(syscalls.OPEN_FLAGS[name]), (_ANY_BIT, 0, 1, places.WRITING), ask, allow]
    if name in syscalls.IF_SET:
        at = syscalls.IF_SET[name]
        return [_low(at), (_EQUAL, 0, 2, 0), _high(at), (_EQUAL, 1, 0, 0), ask, allow]
    if name in syscalls.UNLESS_SELF:
        return [_low(syscalls.UNLESS_SELF[name]), (_EQUAL, 1, 0, pid), ask, allow]
    return [ask]


def _low(argument: int) -> Op:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument)


def _high(argument: int) -> Op:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument + 4)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("ops", ctypes.c_void_p))


def install(channel: int) -> bool:
    """Put the filter up for this thread and all that comes of it; whether it stands.

    Args:
        channel: a unix socket to the launcher, which gets the filter's listener; closed here.
    """
    with socket.socket(fileno=channel) as ours:
        machine = originals.REAL_OS.uname().machine  # `platform` would keep it for the program
        if machine not in _SECCOMP or sys.byteorder != "little":
            return False
        libc: Any = ctypes.CDLL(None, use_errno=True)
        handed = originals.allocate_lock()
        ready = originals.allocate_lock()
        ready.acquire()
        handed.acquire()
        listener: int = -1

        def hand_over() -> None:
            ready.acquire()
            try:
                if listener >= 0:
                    descriptors = array.array("i", [listener])
                    ours.sendmsg([b"."], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
            finally:
                handed.release()

        originals.start_thread(hand_over, ())
        ops = program(machine, os.getpid())
        buffer = ctypes.create_string_buffer(ops, len(ops))
        whole = _Program(len(ops) // 8, ctypes.addressof(buffer))
        libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
        listener = libc.syscall(ctypes.c_long(_SECCOMP[machine]), _SET_FILTER, _NEW_LISTENER, ctypes.byref(whole))
        ready.release()
        handed.acquire()
    if listener >= 0:
        os.close(listener)
    return listener >= 0
