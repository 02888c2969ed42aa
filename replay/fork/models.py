"""Models behind a fork point: which calls ask one, a user's program in place of one, and one that is asked for real."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from replay.cassette import frame as f
from replay.cassette.reader import Reader
from replay.fork.launcher import Question
from replay.semantics import loose

_TIMEOUT: Final = 600
_OF_THE_CONNECTION: Final = frozenset(
    ("host", "content-length", "transfer-encoding", "connection", "accept-encoding", "keep-alive")
)
_KINDS: Final = (b"\xa4http", b"\xa4grpc")
"""As frames have them."""


def names(readers: Iterable[Reader]) -> list[str]:
    """Names of the calls in those recordings that asked a model."""
    from replay.semantics.links import read

    found: set[str] = set()
    for reader in readers:
        for type_, number, payload in reader.frames():
            if type_ not in (f.CALL, f.EVENT) or not any(kind in payload for kind in _KINDS):
                continue
            event = reader.event(number)
            if event.name not in found and read(event) is not None:
                found.add(event.name)
    return sorted(found)


def ask_program(command: str, question: Question) -> dict[str, Any]:
    """A user's program: the request as JSON on its standard input, the answer as JSON on its standard output.

    The request: `kind`, `name`, `request`, `body` (JSON as such, other text as a string, the rest as base64 in
    `body_base64`). The answer to an http request (and to an `llm` one, of a transcript): `status` (200), `headers` (a
    map) and `body` (JSON or a string); an object without any of these is the body. To anything else: the value itself.
    `{"unresolved": "why"}`, or an exit code other than 0: it doesn't know.

    Returns: `value` and `pieces`, as a cassette stores them, or `problem`.
    """
    body = question["body"]
    asked = {"kind": question["kind"], "name": question["name"], "request": question["request"], **_readable(body)}
    try:
        done = subprocess.run(
            command, shell=True, input=json.dumps(asked, default=repr).encode(), capture_output=True, check=False
        )
    except OSError as error:
        return {"problem": f"{command}: {error.strerror}"}
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return {"problem": f"{command} ended with exit code {done.returncode}{': ' if said else ''}{said}"}
    try:
        answer: Any = json.loads(done.stdout)
    except ValueError as error:
        return {"problem": f"{command} didn't answer in JSON: {error}"}
    if set(loose.obj(answer)) == {"unresolved"}:
        return {"problem": str(answer["unresolved"])}
    return _http(answer) if question["kind"] in ("http", "llm") else {"value": answer}


def ask_live(question: Question) -> dict[str, Any]:
    """Ask the model itself, with another prompt than the program's. Returns as `ask_program`."""
    request: Mapping[str, Any] = question["request"]
    body = question["body"] or b""
    where = urlsplit(str(request["url"]))
    kind = HTTPSConnection if where.scheme == "https" else HTTPConnection
    connection = kind(where.hostname or "", where.port, timeout=_TIMEOUT)
    headers = {name: value for name, value in request["headers"] if name.lower() not in _OF_THE_CONNECTION}
    target = where.path or "/"
    try:
        connection.request(request["method"], f"{target}?{where.query}" if where.query else target, body, headers)
        response = connection.getresponse()
        pieces = [response.read()]
    except (OSError, HTTPException) as error:
        return {"problem": f"{request['url']}: {error}"}
    finally:
        connection.close()
    lines = [[name, value] for name, value in response.getheaders() if name.lower() not in _OF_THE_CONNECTION]
    return {"value": _head(response.status, response.reason, lines), "pieces": pieces}


def _readable(body: bytes | None) -> dict[str, Any]:
    if body is None:
        return {"body": None}
    try:
        return {"body": json.loads(body)}
    except ValueError:
        pass
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _http(answer: Any) -> dict[str, Any]:
    names = set(loose.obj(answer))
    whole: Mapping[str, Any] = answer if "body" in names <= {"status", "headers", "body"} else {"body": answer}
    body: Any = whole["body"]
    is_text = isinstance(body, str)
    data = body.encode() if is_text else json.dumps(body).encode()
    headers: dict[str, Any] = {"content-type": "text/plain" if is_text else "application/json"}
    headers |= loose.obj(whole.get("headers"))
    lines = [[name, str(value)] for name, value in headers.items()] + [["content-length", str(len(data))]]
    return {"value": _head(int(whole.get("status", 200)), "", lines), "pieces": [data] if data else []}


def _head(status: int, reason: str, headers: list[list[str]]) -> dict[str, Any]:
    return {"status": status, "reason": reason, "headers": headers, "version": "HTTP/1.1"}
