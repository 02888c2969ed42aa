"""JSON-RPC 2.0 over lines: one message each, requests answered in the order in which they come. Knows no tools.

Written out, since it is this page: the SDK of the protocol brings a web server along, and takes three times as long to
import as all of this server (docs/design/dependencies.md). Its client is what the tests talk to this with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, Final

from replay.queries.bounds import dumps

LONGEST: Final = 1 << 20
"""Bytes of one message; a longer one is refused."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

Method = Callable[[Mapping[str, Any]], dict[str, Any]]


class Refused(Exception):
    """What a method answers instead: an error of the protocol, with its code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def serve(methods: Mapping[str, Method], come: BinaryIO, go: BinaryIO) -> None:
    """Answers until `come` ends, or nobody reads what is answered."""
    try:
        while line := come.readline(LONGEST + 1):
            if len(line) > LONGEST:
                while line and not line.endswith(b"\n"):
                    line = come.readline(LONGEST)
                answer: dict[str, Any] | None = _error(None, INVALID_REQUEST, f"longer than {LONGEST} bytes")
            elif not line.strip():
                continue
            else:
                answer = answered(methods, line)
            if answer is not None:
                go.write(dumps(answer).encode() + b"\n")
                go.flush()
    except BrokenPipeError:
        return


def answered(methods: Mapping[str, Method], line: bytes) -> dict[str, Any] | None:
    """The answer to one message; None to a notification, and to an answer."""
    try:
        message: Any = json.loads(line)
    except (ValueError, RecursionError):
        return _error(None, PARSE_ERROR, "no JSON")
    if not isinstance(message, dict):
        return _error(None, INVALID_REQUEST, "one message to a line, an object")
    request: dict[str, Any] = message  # pyright: ignore[reportUnknownVariableType]
    number, name = request.get("id"), request.get("method")
    given: Any = request.get("params") or {}
    if name is None and ("result" in request or "error" in request):
        return None  # we never ask
    if not isinstance(name, str) or isinstance(number, (dict, list, bool)) or not isinstance(given, dict):
        return None if number is None else _error(None, INVALID_REQUEST, "no request of JSON-RPC 2.0")
    if number is None:
        return None  # a notification: nothing that is in progress can be ended by one
    method = methods.get(name)
    if method is None:
        return _error(number, METHOD_NOT_FOUND, f"no method {name[:100]}")
    try:
        return {"jsonrpc": "2.0", "id": number, "result": method(given)}  # pyright: ignore[reportUnknownArgumentType]
    except Refused as error:
        return _error(number, error.code, str(error))
    except Exception as error:  # the next question may have an answer
        return _error(number, INTERNAL_ERROR, f"a bug of ours: {type(error).__name__}")


def _error(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
