"""psycopg 3, synchronous and asynchronous, in C or in Python: libpq's sockets don't go through Python.

Everything that psycopg asks of a server is a generator that `Connection.wait` drives: a statement, a commit, a
row of a stream, a piece of a copy. One such wait is one crossing. While it is performed, what libpq answered to the
generator is noted; at replay the same generator runs on a connection that was never opened (`_psycopg_answers`) and is
given these answers. So all that psycopg makes of them is made again: rows by the program's own loaders and row
factories, errors with their diagnostics, savepoints, prepared statements, states of cursors.

Handlers of notices and notifications are the program's: they are called when the crossing is over, in its lane.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from functools import update_wrapper
from types import ModuleType
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import nobody, running
from replay.seams import _psycopg_answers as answers
from replay.seams import _psycopg_plain as plain
from replay.seams import _psycopg_prepared as prepared
from replay.seams._psycopg_answers import Result, Unopened
from replay.seams._seam import patch
from replay.seams._sql import address, describe

_LISTENED = (
    "connect execute send fetch_many fetch pipeline_communicate notifies copy_from copy_to copy_end cancel".split()
)
_NAMES = {
    "executemany_gen_pipeline": "executemany",
    "executemany_gen_no_pipeline": "executemany",
    "stream_send": "stream",
    "stream_fetchone": "stream_row",
    "start_copy": "copy",
    "read": "copy_from",
    "read_row": "copy_from",
    "enter": "transaction_begin",
    "exit": "transaction_end",
}


def install(module: ModuleType) -> None:
    """Patch psycopg, once it is imported whole."""
    from psycopg import generators, waiting  # pyright: ignore[reportMissingImports]

    library: Any = module
    plain.install(library)
    prepared.install(_decisions)
    functions: Any = generators
    for name in _LISTENED:
        original = getattr(functions, name)
        if not hasattr(original, "__wrapped__"):
            plain.everywhere(original, _listened(name, original))
    for name, wrap in (("wait_conn", _connecting), ("wait_conn_async", _connecting_async)):
        patch(waiting, name, wrap)
    patch(library.Connection, "wait", _waiting)
    patch(library.AsyncConnection, "wait", _waiting_async)
    for cursor, asynchronous in ((library.Cursor, False), (library.AsyncCursor, True)):
        patch(cursor, "executemany", _executemany_async if asynchronous else _executemany)
    base = library.Connection.__mro__[1]
    for name in ("_notice_handler", "_notify_handler"):
        setattr(base, name, staticmethod(_handler(name, getattr(base, name))))
    patch(base, "cancel", _cancel)


# -- listening to libpq ----------------------------------------------------------------------------------------------


class _Heard:
    """What came of a crossing: libpq's answers, notices and notifications, and what the generator made of them."""

    def __init__(self, pgconn: Any) -> None:
        self.pgconn = pgconn
        self.parameters: dict[str, Any] | None = None
        self.before: list[int] | None = None
        self.decisions: prepared.Decisions = []
        self.answers: list[list[Any]] = []
        self.notices: list[list[Any]] = []
        self.result: Any = None
        self.error: Exception | None = None
        self.ended = False

    def add(self, what: str, value: Any, pgconn: Any) -> None:
        self.answers.append([what, value, answers.state(pgconn) if hasattr(pgconn, "transaction_status") else None])


class _Hearing(threading.local):
    heard: _Heard | None = None
    answers: deque[list[Any]] | None = None
    """Of a connection that is being made again."""


_hearing = _Hearing()


def _decisions() -> prepared.Decisions | None:
    return None if _hearing.heard is None else _hearing.heard.decisions


def _listening(generator: Generator[Any, Any, Any], heard: _Heard) -> Generator[Any, Any, Any]:
    """Drive it; what it hears meanwhile is noted."""
    ready: Any = None
    while True:
        before, _hearing.heard = _hearing.heard, heard
        try:
            asked = generator.send(ready)
        except StopIteration as end:
            heard.ended = True
            return end.value
        except Exception:
            heard.ended = True
            raise
        finally:
            _hearing.heard = before
        ready = yield asked


def _listened(name: str, original: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
    def listen(first: Any, *args: Any, **more: Any) -> Generator[Any, Any, Any]:
        if isinstance(first, Unopened):
            return _given(first, name, first.answers, args)
        if _hearing.answers is not None:
            return _given(None, name, _hearing.answers, args)
        heard = _hearing.heard
        if heard is None:
            result = yield from original(first, *args, **more)
            return result
        queue = len(args[0]) if name == "pipeline_communicate" else 0
        try:
            result = yield from original(first, *args, **more)
        except Exception as error:
            heard.add("error", _error(error), first)
            raise
        if name == "connect":
            heard.pgconn = result
            heard.add(name, answers.connection(result), result)
        else:
            value = _stored(name, result)
            heard.add(name, [queue - len(args[0]), value] if name == "pipeline_communicate" else value, first)
        return result

    return update_wrapper(listen, original)


def _given(pgconn: Unopened | None, name: str, left: deque[list[Any]], args: Any) -> Any:
    """The next answer of the recording."""
    if not left:
        raise _Stopped
    what, value, state = left.popleft()
    if name == "connect" and what == name:
        return Unopened(value)
    if pgconn is not None and state is not None:
        pgconn.become(state)
    if what == "error":
        raise _raised(value)
    if name == "pipeline_communicate":
        count, value = value
        for _ in range(count):
            args[0].popleft()()
    return _made(name, value)


class _Stopped(Exception):
    """The recorded wait was left before the generator's end."""


def _stored(name: str, result: Any) -> Any:
    if name in ("execute", "fetch_many"):
        return [answers.result(each) for each in result]
    if name == "pipeline_communicate":
        return [[answers.result(each) for each in some] for some in result]
    if name in ("fetch", "copy_end"):
        return None if result is None else answers.result(result)
    if name == "copy_from":
        return answers.result(result) if hasattr(result, "ntuples") else bytes(result)
    if name == "notifies":
        return [[each.relname, each.be_pid, each.extra] for each in result]
    return None


def _made(name: str, value: Any) -> Any:
    if name == "notifies":
        return [_notification(each) for each in value]
    if name in ("execute", "fetch_many"):
        return [Result(each) for each in value]
    if name == "pipeline_communicate":
        return [[Result(each) for each in some] for some in value]
    if name == "copy_from" and isinstance(value, bytes):
        return memoryview(value)
    if name in ("fetch", "copy_end", "copy_from") and value is not None:
        return Result(value)
    return value


def _notification(stored: list[Any]) -> Any:
    from psycopg.pq import PGnotify

    return PGnotify(*stored)


def _error(error: Exception) -> list[Any]:
    return [type(error).__name__, [arg if isinstance(arg, (str, int)) else str(arg) for arg in error.args]]


def _raised(stored: list[Any]) -> Exception:
    import builtins

    from psycopg import errors

    name, args = stored
    found = getattr(errors, name, None) or getattr(builtins, name, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        found = errors.OperationalError
    return found(*args)


# -- crossings -------------------------------------------------------------------------------------------------------


def _dump(heard: _Heard) -> dict[str, Any]:
    stored: dict[str, Any] = {"answers": heard.answers}
    if heard.pgconn is not None:
        if heard.parameters is not None:
            now = answers.parameters(heard.pgconn)
            if now != heard.parameters:
                stored["parameters"] = now
        stored["state"] = answers.state(heard.pgconn)
    if heard.before is not None:
        stored["before"] = heard.before
        stored["prepared"] = heard.decisions
    if heard.notices:
        stored["notices"] = heard.notices
    if heard.error is not None:
        stored["error"] = str(heard.error)
        stored["class"] = type(heard.error).__name__
        if not heard.ended:
            stored["stopped"] = _error(heard.error)
    return stored


def _repeat(generator: Generator[Any, Any, Any], pgconn: Unopened | None, stored: dict[str, Any]) -> _Heard:
    """Run the generator on the recorded answers."""
    heard = _Heard(pgconn)
    left = deque(stored["answers"])
    if pgconn is not None:
        pgconn.answers = left
        decisions = stored.get("prepared")
        pgconn.decisions = None if decisions is None else deque(decisions)
        if "before" in stored:
            pgconn.become(stored["before"])
        pgconn.report(stored.get("parameters", {}))
    else:
        _hearing.answers = left
    try:
        with nobody():
            generator.send(None)
    except StopIteration as end:
        heard.result = end.value
    except _Stopped:
        heard.error = _raised(stored["stopped"])
    except Exception as error:
        heard.error = error
    finally:
        _hearing.answers = None
        generator.close()
    if pgconn is not None and "state" in stored:
        pgconn.become(stored["state"])
    heard.notices = stored.get("notices", [])
    return heard


def _crossing(connection: Any, generator: Any) -> tuple[Call[Any], _Heard]:
    asked = _asked(generator)
    name: str = generator.__name__.strip("_").removesuffix("_gen")
    op, effect, request = describe(_NAMES.get(name, name), asked, connection)
    request = {"store": _store(connection.pgconn), **request}
    heard = _Heard(connection.pgconn)
    if not isinstance(connection.pgconn, Unopened):
        heard.parameters = answers.parameters(connection.pgconn)
        heard.before = answers.state(connection.pgconn)

    def load(stored: Any) -> _Heard:
        return _repeat(generator, connection.pgconn, stored)

    return Call("memory", f"psycopg.{op}", effect, request, dump=_dump, load=load), heard


def _asked(generator: Any) -> dict[str, Any]:
    """The arguments of a generator that hasn't begun, by name."""
    frame = getattr(generator, "gi_frame", None)
    asked = {} if frame is None else dict(frame.f_locals)
    return {"buffer": asked["args"][0]} if generator.__name__ == "copy_to" else asked


def _store(pgconn: Any) -> str:
    host, port, db = (bytes(part or b"").decode(errors="replace") for part in (pgconn.host, pgconn.port, pgconn.db))
    return f"postgresql://{host}:{port}/{db}"


def _over(connection: Any, heard: _Heard) -> Any:
    """Behind a crossing, in its lane: handlers are called, then comes the result."""
    for kind, value in heard.notices:
        if kind == "notice":
            connection.pgconn.notice_handler(Result(value))
        else:
            connection.pgconn.notify_handler(_notification(value))
    if heard.error is not None:
        raise heard.error
    return heard.result


def _waiting(original: Callable[..., Any]) -> Callable[..., Any]:
    def wait(self: Any, gen: Any, *args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return original(self, gen, *args, **kwargs)
        call, heard = _crossing(self, gen)

        def perform() -> _Heard:
            try:
                heard.result = original(self, _listening(gen, heard), *args, **kwargs)
            except Exception as error:
                heard.error = error
            return heard

        try:
            found = lane.door.cross(lane, call, perform)
        finally:
            call.load = None
        return _over(self, found)

    return wait


def _waiting_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def wait(self: Any, gen: Any, *args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, gen, *args, **kwargs)
        call, heard = _crossing(self, gen)

        async def perform() -> _Heard:
            try:
                heard.result = await original(self, _listening(gen, heard), *args, **kwargs)
            except Exception as error:
                heard.error = error
            return heard

        try:
            found = await lane.door.across(lane, call, perform)
        finally:
            call.load = None
        return _over(self, found)

    return wait


def _opening(generator: Any) -> tuple[Call[Any], _Heard]:
    request = address(str(_asked(generator).get("conninfo", "")))

    def load(stored: Any) -> _Heard:
        return _repeat(generator, None, stored)

    return Call("memory", "psycopg.connect", "read", request, dump=_dump, load=load), _Heard(None)


def _connecting(original: Callable[..., Any]) -> Callable[..., Any]:
    def wait_conn(gen: Any, *args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return original(gen, *args, **kwargs)
        call, heard = _opening(gen)

        def perform() -> _Heard:
            try:
                heard.result = original(_listening(gen, heard), *args, **kwargs)
            except Exception as error:
                heard.error = error
            return heard

        try:
            found = lane.door.cross(lane, call, perform)
        finally:
            call.load = None
        if found.error is not None:
            raise found.error
        return found.result

    return wait_conn


def _connecting_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def wait_conn_async(gen: Any, *args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await original(gen, *args, **kwargs)
        call, heard = _opening(gen)

        async def perform() -> _Heard:
            try:
                heard.result = await original(_listening(gen, heard), *args, **kwargs)
            except Exception as error:
                heard.error = error
            return heard

        try:
            found = await lane.door.across(lane, call, perform)
        finally:
            call.load = None
        if found.error is not None:
            raise found.error
        return found.result

    return wait_conn_async


def _executemany(original: Callable[..., Any]) -> Callable[..., Any]:
    def executemany(self: Any, query: Any, params_seq: Any, **kwargs: Any) -> Any:
        if running.lane is not None:
            params_seq = list(params_seq)  # read by the program, not inside of the crossing
        return original(self, query, params_seq, **kwargs)

    return executemany


def _executemany_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def executemany(self: Any, query: Any, params_seq: Any, **kwargs: Any) -> Any:
        if running.lane is not None:
            params_seq = list(params_seq)
        return await original(self, query, params_seq, **kwargs)

    return executemany


def _handler(name: str, original: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def handle(wself: Any, found: Any) -> None:
        heard = _hearing.heard
        if heard is None:
            original(wself, found)
        elif name == "_notice_handler":
            heard.notices.append(["notice", answers.result(found)])
        else:
            heard.notices.append(["notify", [found.relname, found.be_pid, found.extra]])

    return handle


def _cancel(original: Callable[[Any], None]) -> Callable[[Any], None]:
    def cancel(self: Any) -> None:
        lane = running.lane
        if lane is None or self.closed:
            original(self)
            return
        call: Call[None] = Call("memory", "psycopg.cancel", "write", {"store": _store(self.pgconn)})
        lane.door.cross(lane, call, lambda: original(self))

    return cancel
