"""What libpq gave psycopg, as values; and objects made of such values that stand where libpq's stood, with no server.

Only psycopg's own (Python) code meets them: `_psycopg_plain` sees to that.
"""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

_FIELDS = {
    name: ord(name)
    for name in "SVCMDHPpqWstcdnFLR"  # severity, sqlstate, messages, positions, names, source
}
_TUPLES = (2, 9, 12)  # of an answer with rows, of a single one, of some
_INFO = ("host", "hostaddr", "port", "db", "user", "options")
_NUMBERS = ("server_version", "backend_pid", "protocol_version", "full_protocol_version")
_FLAGS = ("needs_password", "used_password", "used_gssapi", "ssl_in_use")
_PARAMETERS = (
    "client_encoding TimeZone DateStyle IntervalStyle standard_conforming_strings integer_datetimes server_encoding "
    "server_version application_name session_authorization is_superuser search_path in_hot_standby "
    "default_transaction_read_only crdb_version"
).split()
IDLE, BAD = 0, 1


def result(found: Any) -> dict[str, Any]:
    """A PGresult: status, tag, columns, rows; of a failure its fields."""
    stored: dict[str, Any] = {"status": int(found.status), "tag": _text(found.command_status)}
    if found.nfields:
        columns, rows = range(found.nfields), range(found.ntuples)
        stored["columns"] = [
            [
                _text(found.fname(n)),
                *(found.ftype(n), int(found.fformat(n)), found.fmod(n), found.fsize(n)),
                *(found.ftable(n), found.ftablecol(n)),
            ]
            for n in columns
        ]
        text = [found.fformat(n) == 0 for n in columns]
        stored["rows"] = [
            [_text(value) if text[n] else value for n in columns for value in (found.get_value(row, n),)]
            for row in rows
        ]
    if found.nparams:
        stored["params"] = [found.param_type(n) for n in range(found.nparams)]
    if found.error_message:
        stored["error"] = {
            name: _text(value)
            for name, code in _FIELDS.items()
            for value in (found.error_field(code),)
            if value is not None
        }
        stored["message"] = _text(found.error_message)
    return stored


def _text(value: Any) -> Any:
    """Bytes as text where they are text, since people read them; exactly those bytes come out of it again."""
    if value is None:
        return None
    raw = bytes(value)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


class Result:
    """Stands for a PGresult."""

    binary_tuples = 0
    oid_value = 0

    def __init__(self, stored: dict[str, Any]) -> None:
        self.status: int = stored["status"]
        self.command_status: bytes | None = _bytes(stored["tag"])
        self._columns: list[list[Any]] = stored.get("columns", [])
        self._rows: list[list[Any]] = [[_bytes(value) for value in row] for row in stored.get("rows", ())]
        self._params: list[int] = stored.get("params", [])
        self._error: dict[str, Any] = stored.get("error", {})
        self.error_message: bytes = _bytes(stored.get("message", b""))
        self.ntuples, self.nfields, self.nparams = len(self._rows), len(self._columns), len(self._params)

    @property
    def command_tuples(self) -> int | None:
        last = (self.command_status or b"").rpartition(b" ")[2]
        return int(last) if last.isdigit() else None

    def get_error_message(self, encoding: str = "") -> str:
        from psycopg.pq import misc

        return misc._clean_error_message(self.error_message, encoding or "utf-8")  # pyright: ignore[reportPrivateUsage]

    def error_field(self, code: int) -> bytes | None:
        found: bytes | None = _bytes(self._error.get(chr(code)))
        return found

    def get_value(self, row: int, column: int) -> bytes | None:
        found: bytes | None = self._rows[row][column]
        return found

    def fname(self, n: int) -> bytes | None:
        found: bytes | None = _bytes(self._columns[n][0])
        return found

    def ftype(self, n: int) -> int:
        return int(self._columns[n][1])

    def fformat(self, n: int) -> int:
        return int(self._columns[n][2])

    def fmod(self, n: int) -> int:
        return int(self._columns[n][3])

    def fsize(self, n: int) -> int:
        return int(self._columns[n][4])

    def ftable(self, n: int) -> int:
        return int(self._columns[n][5])

    def ftablecol(self, n: int) -> int:
        return int(self._columns[n][6])

    def param_type(self, n: int) -> int:
        return self._params[n]

    def clear(self) -> None:
        """There is nothing to free."""


def connection(pgconn: Any) -> dict[str, Any]:
    """What a connection tells of itself, without its password."""
    stored = {name: _text(getattr(pgconn, name)) for name in _INFO}
    stored.update((name, int(getattr(pgconn, name))) for name in (*_NUMBERS, *_FLAGS) if hasattr(pgconn, name))
    stored["parameters"] = parameters(pgconn)
    return stored


def parameters(pgconn: Any) -> dict[str, Any]:
    """Settings of the session that the server reports."""
    found = {name: pgconn.parameter_status(name.encode()) for name in _PARAMETERS}
    return {name: _text(value) for name, value in found.items() if value is not None}


def state(pgconn: Any) -> list[int]:
    """How a connection is, how its transaction, how its pipeline."""
    return [int(pgconn.status), int(pgconn.transaction_status), int(pgconn.pipeline_status)]


class Unopened:
    """Stands for a PGconn that was never opened: it has what the recorded one told, and gives recorded answers.

    Attributes:
        answers: of the crossing that is repeated: [what, value, state].
        decisions: of that crossing, about prepared statements; None where the recording has none.
    """

    socket = -1
    nonblocking = 1
    password = tty = error_message = b""
    notice_handler: Any = None
    notify_handler: Any = None

    def __init__(self, stored: dict[str, Any]) -> None:
        for name in _INFO:
            setattr(self, name, _bytes(stored[name]) or b"")
        for name in (*_NUMBERS, *_FLAGS):
            setattr(self, name, stored.get(name, 0))
        self._parameters: dict[str, Any] = dict(stored["parameters"])
        self.status, self.transaction_status, self.pipeline_status = 0, IDLE, 0
        self.answers: deque[list[Any]] = deque()
        self.decisions: deque[list[Any]] | None = None

    @property
    def _encoding(self) -> str:
        from psycopg._encodings import pg2pyenc  # pyright: ignore[reportPrivateUsage]

        return pg2pyenc(self.parameter_status(b"client_encoding") or b"UTF8")

    @property
    def info(self) -> list[Any]:
        names = {"host": self.host, "port": self.port, "dbname": self.db, "user": self.user, "options": self.options}
        return [
            SimpleNamespace(keyword=name.encode(), val=value or None, envvar=None, compiled=None)
            for name, value in names.items()
        ]

    host = port = db = user = options = b""

    def get_error_message(self, encoding: str = "") -> str:
        return ""

    def parameter_status(self, name: bytes) -> bytes | None:
        found: bytes | None = _bytes(self._parameters.get(name.decode()))
        return found

    def become(self, now: list[int]) -> None:
        """The state behind an answer."""
        self.status, self.transaction_status, self.pipeline_status = now

    def report(self, changed: dict[str, Any]) -> None:
        """Settings that the server reported anew."""
        self._parameters.update(changed)

    def enter_pipeline_mode(self) -> None:
        self.pipeline_status = 1

    def exit_pipeline_mode(self) -> None:
        self.pipeline_status = 0

    def finish(self) -> None:
        self.status = BAD

    def _sent(self, *_: Any, **__: Any) -> None:
        """Nothing is sent."""

    send_query = send_query_params = send_prepare = send_query_prepared = _sent
    send_describe_prepared = send_describe_portal = send_close_prepared = send_close_portal = _sent
    set_single_row_mode = set_chunked_rows_mode = pipeline_sync = send_flush_request = trace = untrace = _sent
