"""The calls to the kernel that change the world, by what they change. Numbers: x86-64 and aarch64; None: not there.

A rule says when a call is asked about: always, or only if one of its arguments makes it one that changes something.
"""

from __future__ import annotations

from typing import Final

from replay.boundary import originals

ARCHES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine: column in the tables, the audit number of its architecture."""

# name: (x86-64, aarch64), argument positions of (directory descriptor or None, path), for each path
_PATHS: Final[dict[str, tuple[int | None, int | None, tuple[tuple[int | None, int], ...]]]] = {
    "open": (2, None, ((None, 0),)),
    "creat": (85, None, ((None, 0),)),
    "openat": (257, 56, ((0, 1),)),
    "openat2": (437, 437, ((0, 1),)),
    "unlink": (87, None, ((None, 0),)),
    "unlinkat": (263, 35, ((0, 1),)),
    "rename": (82, None, ((None, 0), (None, 1))),
    "renameat": (264, 38, ((0, 1), (2, 3))),
    "renameat2": (316, 276, ((0, 1), (2, 3))),
    "mkdir": (83, None, ((None, 0),)),
    "mkdirat": (258, 34, ((0, 1),)),
    "rmdir": (84, None, ((None, 0),)),
    "link": (86, None, ((None, 0), (None, 1))),
    "linkat": (265, 37, ((0, 1), (2, 3))),
    "symlink": (88, None, ((None, 1),)),
    "symlinkat": (266, 36, ((1, 2),)),
    "mknod": (133, None, ((None, 0),)),
    "mknodat": (259, 33, ((0, 1),)),
    "truncate": (76, 45, ((None, 0),)),
    "chmod": (90, None, ((None, 0),)),
    "fchmodat": (268, 53, ((0, 1),)),
    "fchmodat2": (452, 452, ((0, 1),)),
    "chown": (92, None, ((None, 0),)),
    "lchown": (94, None, ((None, 0),)),
    "fchownat": (260, 54, ((0, 1),)),
    "utime": (132, None, ((None, 0),)),
    "utimes": (235, None, ((None, 0),)),
    "futimesat": (261, None, ((0, 1),)),
    "utimensat": (280, 88, ((0, 1),)),
    "setxattr": (188, 5, ((None, 0),)),
    "lsetxattr": (189, 6, ((None, 0),)),
    "removexattr": (197, 14, ((None, 0),)),
    "lremovexattr": (198, 15, ((None, 0),)),
}
_FILES: Final = {"fchmod": (91, 52), "fchown": (93, 55), "fsetxattr": (190, 7), "fremovexattr": (199, 16)}
_OTHERS: Final[dict[str, tuple[int | None, int | None]]] = {
    "connect": (42, 203),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "prlimit64": (302, 261),
    "mq_open": (240, 180),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "bpf": (321, 280),
    "unshare": (272, 97),
    "setns": (308, 268),
    "clock_settime": (227, 112),
    "settimeofday": (164, 170),
    "clock_adjtime": (305, 266),
    "add_key": (248, 217),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
}

PATHS: Final = {name: places for name, (_, _, places) in _PATHS.items()}
FILES: Final = frozenset(_FILES)
SENDING: Final = frozenset({"connect", "sendto", "sendmsg", "sendmmsg"})
STARTING: Final = {"execve": (None, 0), "execveat": (0, 1)}
SIGNALLING: Final = frozenset({"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"})
KEEPS_LAST: Final = frozenset(
    "unlink unlinkat rename renameat renameat2 mkdir mkdirat rmdir link linkat symlink symlinkat mknod mknodat lchown "
    "lsetxattr lremovexattr".split()
)
"""Those that act on a link itself rather than on what it leads to."""

OPEN_FLAGS: Final = {"open": 1, "openat": 2}
"""Asked about only if that argument has one of WRITING."""
IF_SET: Final = {"sendto": 4, "prlimit64": 0}
"""Asked about only if that argument isn't zero: an address; another process than oneself."""
UNLESS_SELF: Final = {"kill": 0, "tgkill": 0, "rt_sigqueueinfo": 0, "rt_tgsigqueueinfo": 0}
"""Asked about unless that argument is the process itself."""
ABSENT: Final = frozenset({"io_uring_setup"})
"""Answered as by a kernel that doesn't have it: it would get past every other rule, and everyone can do without."""


def numbers(machine: str | None = None) -> dict[str, int]:
    """Name → number on this machine; empty where it isn't known."""
    column = ARCHES.get(originals.REAL_OS.uname().machine if machine is None else machine)
    if column is None:
        return {}
    table = {name: row[:2] for name, row in _PATHS.items()} | dict(_FILES) | _OTHERS
    return {name: number for name, row in table.items() if (number := row[column[0]]) is not None}
