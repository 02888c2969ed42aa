"""A small client of the Debug Adapter Protocol: what an editor says to a debugger, over a socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

Message = dict[str, Any]


class Editor:
    """Attached to a debugger that listens at an address; a context.

    Example:
        with Editor("127.0.0.1", port) as editor:
            editor.attach({"agent.py": [12]})
            stopped = editor.stopped()
            editor.value("price", stopped)
    """

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=60)
        self._file = self._socket.makefile("rb")
        self._count = 0
        self._unread: list[Message] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._socket.close()

    def attach(self, breakpoints: dict[str, list[int]]) -> None:
        """As VS Code does: initialize, attach, breakpoints, done."""
        self.ask("initialize", adapterID="test", linesStartAt1=True, columnsStartAt1=True, pathFormat="path")
        attaching = self.send("attach", justMyCode=True)
        self.event("initialized")
        for path, lines in breakpoints.items():
            found = self.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": line} for line in lines])
            assert all(each["verified"] for each in found["breakpoints"]), found
        self.ask("configurationDone")
        self._answer(attaching)

    def stopped(self) -> Message:
        """Where it stops next: `thread`, `reason`, and the frames, innermost first."""
        body = self.event("stopped")["body"]
        frames = self.ask("stackTrace", threadId=body["threadId"])["stackFrames"]
        return {"thread": body["threadId"], "reason": body["reason"], "frames": frames}

    def value(self, expression: str, stopped: Message) -> str:
        """Of an expression in the innermost frame."""
        frame = stopped["frames"][0]["id"]
        return str(self.ask("evaluate", expression=expression, frameId=frame, context="watch")["result"])

    def go(self, stopped: Message, how: str = "continue") -> None:
        """`continue`, `next`, `stepIn` or `stepOut`; a program that ends by it may be gone before it is answered."""
        self.send(how, threadId=stopped["thread"])

    def ask(self, command: str, **arguments: Any) -> Message:
        """A request's answer."""
        return self._answer(self.send(command, **arguments))

    def send(self, command: str, **arguments: Any) -> int:
        """A request; its number."""
        self._count += 1
        message = {"seq": self._count, "type": "request", "command": command, "arguments": arguments}
        data = json.dumps(message).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        return self._count

    def event(self, name: str) -> Message:
        """The next event of that name."""
        return self._next(lambda message: message["type"] == "event" and message["event"] == name)

    def _answer(self, number: int) -> Message:
        found = self._next(lambda message: message["type"] == "response" and message["request_seq"] == number)
        assert found["success"], found
        body: Message = found.get("body") or {}
        return body

    def _next(self, wanted: Callable[[Message], bool]) -> Message:
        """What comes in another order than it is asked for waits."""
        at = 0
        while True:
            if at == len(self._unread):
                self._unread.append(self._read())
            if wanted(self._unread[at]):
                return self._unread.pop(at)
            at += 1

    def _read(self) -> Message:
        length = 0
        while line := self._file.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the debugger has gone"
        message: Message = json.loads(self._file.read(length))
        return message
