"""What a forking process asks the one that started it: it lives behind walls, so it can start and reach nothing itself.

    message = length u32, big endian | value, as in a cassette

Each question is answered before the next is asked.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from replay.boundary import originals
from replay.boundary.lanes import nobody
from replay.cassette.codec import pack, unpack

Question = Mapping[str, Any]

_LENGTH = struct.Struct(">I")


class Line:
    """The asking side.

    Args:
        descriptor: of the socket to the launcher.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._one = originals.allocate_lock()

    def ask(self, question: Question) -> Any:
        """Send it, and wait for the answer.

        Raises:
            ConnectionError: the launcher is gone.
        """
        with nobody(), self._one:
            send(self._descriptor, question)
            return receive(self._descriptor)


class Desk:
    """The answering side: a thread, while the `with` block runs.

    Args:
        answer: called with each question; what it returns is sent.

    Attributes:
        descriptor: to be inherited by the process that asks.
    """

    def __init__(self, answer: Callable[[Question], Any]) -> None:
        self._answer = answer
        self._ours, self._theirs = socket.socketpair()
        self.descriptor = self._theirs.fileno()
        self._thread = threading.Thread(target=self._run, name="replay-fork", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._theirs.close()
        self._ours.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._ours.close()

    def _run(self) -> None:
        try:
            while True:
                send(self._ours.fileno(), self._answer(receive(self._ours.fileno())))
        except OSError:  # the process has ended
            pass


def send(descriptor: int, value: Any) -> None:
    """One message."""
    data = pack(value)
    left = memoryview(_LENGTH.pack(len(data)) + data)
    while left:
        left = left[originals.os_write(descriptor, left) :]


def receive(descriptor: int) -> Any:
    """The next message. Raises ConnectionError at the end."""
    (length,) = _LENGTH.unpack(_exactly(descriptor, _LENGTH.size))
    return unpack(_exactly(descriptor, length))


def _exactly(descriptor: int, count: int) -> bytes:
    pieces: list[bytes] = []
    while count:
        piece = _read(descriptor, count)
        if not piece:
            raise ConnectionError("nobody is there any more")
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


_read = os.read  # bound before anybody watches who reads
