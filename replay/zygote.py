"""A process that has imported what a replay imports, and forks for each replay. This is its inside; `replay.launch`
has the outside.

A replayed process spends more time on importing the machinery of a replay than most programs run. All of these imports
happen before the program's first line, in one order, and nothing of the program has a part in them. So a zygote is
started with the command line that the replay would have, does what a replay does up to there, and stops. For each
request it forks; the child gets its streams, arguments and environment, returns to the interpreter's start as if
nothing had been, and runs the program as any replay does: its own tape, its own sandbox and walls, its own process.
What the zygote shares is read-only by then: code and modules. docs/design/zygote.md has the list, and why it is safe.

Imported by every process that is started here, so that `sys.modules` is the same with and without; hence it imports
nothing that isn't there already.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import struct
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from replay.boundary import originals
from replay.runtime import locks

HEAD = struct.Struct("!I")
"""Before a request: its length. The descriptors come with it: standard output, standard error, and the channel to the
supervisor, if there is one."""
BORN = struct.Struct("!i")
"""First answer to a request: the process id of the replay."""
ENDED = struct.Struct("!i")
"""Second answer: its wait status."""
_DESCRIPTORS = 3
_TO_THE_END = frozenset(("sys", "builtins", "__main__"))


def serve(channel: int, *, part: bool) -> dict[str, Any]:
    """Wait for requests; returns in a child, with what it is to be. The zygote itself ends when nobody asks any more.

    Args:
        channel: a unix stream socket to the launcher. part: of programs of which only a block or a call is replayed.
    """
    import_module("replay.replayed")  # what a replay imports first of all
    from replay.runtime.install import install_ahead

    if not part:  # a part installs when its recording did
        install_ahead()
    import_module("zstandard")  # a replay does so next, as it opens its cassette: all but the unsealed ones need it
    socket: Any = sys.modules["socket"]  # the replay's own import, which came at its time
    asking = socket.socket(fileno=channel)
    kept: list[Any] = [{name: module for name, module in sys.modules.items() if name not in _TO_THE_END}]
    kept.append(kept)  # a cycle that is frozen is never taken apart
    gc.freeze()  # a collection in a child leaves these alone; looking at them would copy all the memory that is shared
    _thaw(sys.modules["__main__"])
    while True:
        found = _received(socket, asking)
        if found is None:
            originals.os_exit(0)
        request, descriptors = found
        with locks.set_aside():  # `threading` makes itself new ones in a child, which are nobody's
            pid = os.fork()
        if pid == 0:
            asking.close()
            atexit.register(_leave, kept[0])
            return _become(request, descriptors)
        for descriptor in descriptors:
            originals.os_close(descriptor)
        asking.sendall(BORN.pack(pid))
        _, status = os.waitpid(pid, 0)  # `wait4` would import a module
        asking.sendall(ENDED.pack(status))


def _thaw(module: Any) -> None:
    """A module that is the program's: cycles through it are to be found in the end."""
    api: Any = sys.modules["ctypes"]
    for each in (module, module.__dict__):
        api.pythonapi.PyObject_GC_UnTrack(api.py_object(each))
        api.pythonapi.PyObject_GC_Track(api.py_object(each))


def _received(socket: Any, asking: Any) -> tuple[dict[str, Any], list[int]] | None:
    try:
        head, descriptors, _, _ = socket.recv_fds(asking, HEAD.size, _DESCRIPTORS)
        data = bytearray()
        length = HEAD.unpack(head)[0] if len(head) == HEAD.size else 0
        while len(data) < length:
            piece = asking.recv(length - len(data))
            if not piece:
                return None
            data += piece
    except (OSError, KeyboardInterrupt):
        return None
    return (json.loads(data), descriptors) if data else None


def _leave(shared: Mapping[str, Any]) -> None:
    """The last thing before the interpreter takes its modules apart: what is the zygote's is left alone, since all of
    it would have to be copied for that. What the program made is taken apart as ever.
    """
    for name in shared:
        sys.modules.pop(name, None)


def _become(request: Mapping[str, Any], descriptors: list[int]) -> dict[str, Any]:
    """This process is the one that was asked for."""
    out, err, *channel = descriptors
    for descriptor, at in ((out, 1), (err, 2)):
        os.dup2(descriptor, at)
        originals.os_close(descriptor)
    arguments: list[str] = request["arguments"]
    sys.argv[1:] = arguments
    sys.orig_argv.extend(arguments)
    os.environ.clear()
    os.environ.update(request["environ"])
    spec: dict[str, Any] = request["spec"]
    spec["channel"] = channel[0] if channel else None
    return spec
