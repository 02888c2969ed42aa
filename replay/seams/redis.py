"""redis, synchronous and asynchronous: one event per command.

The seam sits above connections, pools, retries and health checks, which depend on what else happened, and below what
makes results out of answers: a command's outcome is the server's answer as parsed, and response callbacks run again
at replay. So what is recorded is always storable, and no class of the client needs to be known.

- A pipeline is one crossing with its commands. `WATCH` and what is read after it are commands of their own; whether a
  pipeline watches is kept here, since at replay it has no connection that could know.
- Of a subscription, sending and each message that is received are crossings; handlers run again.
- A connection that the program takes for itself (`MONITOR`, a client of a single connection) can't be told from others:
  at replay it is one that was never opened, and what is sent and read through it are crossings.
- Giving connections back and closing happen outside of the lane. Asynchronously they suspend their task: an event of
  kind `order`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import nobody, running
from replay.seams import _redis_commands as commands
from replay.seams._seam import aside, patch

_RAW = "_replay_raw"
"""An option of a command: the answer comes as it is, without its response callback."""

_HELD = "_replay_held"
"""An attribute of an asynchronous pipeline that may have a connection, or of one that watches."""

_INNER = frozenset(("NEVER_DECODE", "EMPTY_RESPONSE", "keys"))
_ENDS_WATCH = frozenset(("DISCARD", "EXEC", "UNWATCH"))
_NEEDED_BY_SCRIPTS = ("SCRIPT EXISTS", "SCRIPT LOAD")

Original = Callable[..., Any]


def install(module: ModuleType) -> None:
    """Patch the clients or the connections of redis or redis.asyncio."""
    library: Any = module
    asynchronous = ".asyncio." in module.__name__
    if module.__name__.endswith("connection"):
        (_connections_async if asynchronous else _connections)(library)
        return
    ways: Any = _Async if asynchronous else _Sync
    patch(library.Redis, "execute_command", ways.command)
    patch(library.Redis, "parse_response", ways.parse)
    patch(library.Pipeline, "immediate_execute_command", ways.immediate)
    patch(library.Pipeline, "execute", ways.execute)
    patch(library.PubSub, "execute_command", ways.subscribe)
    patch(library.PubSub, "parse_response", ways.message)
    if asynchronous:
        patch(library.Redis, "aclose", _closed)
        patch(library.Pipeline, "reset", _reset)
        patch(library.PubSub, "aclose", _unsubscribed)
    else:
        patch(library.Redis, "close", aside)
        patch(library.Pipeline, "reset", aside)
        patch(library.PubSub, "reset", aside)


def _store(client: Any) -> str:
    return commands.url_of(client.connection_pool.connection_kwargs)


def _marked(args: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The options that let the answer come as it is; a few commands need their callback inside."""
    if "EMPTY_RESPONSE" in options or commands.text(args[0]).upper().startswith("HIMPORT"):
        return options
    return {**options, _RAW: True}


def _result(callbacks: Any, args: Any, options: dict[str, Any], answer: Any) -> Any:
    """What the client makes of an answer."""
    callback = callbacks.get(args[0]) if isinstance(args[0], str) else None
    if callback is None:
        return answer
    return callback(answer, **{name: value for name, value in options.items() if name not in _INNER})


def _watches(pipeline: Any, args: Any) -> None:
    name = commands.text(args[0]).upper()
    if name == "WATCH":
        pipeline.watching = True
    elif name in _ENDS_WATCH:
        pipeline.watching = False


class _Raw:
    """A pipeline's response callbacks, put away while it is executed."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._callbacks = pipeline.response_callbacks

    def __enter__(self) -> None:
        few = {name: self._callbacks[name] for name in _NEEDED_BY_SCRIPTS if name in self._callbacks}
        self._pipeline.response_callbacks = few

    def __exit__(self, *_: object) -> None:
        self._pipeline.response_callbacks = self._callbacks


class _Sync:
    """Wrappers of the synchronous client's methods."""

    @staticmethod
    def command(original: Original) -> Original:
        def execute_command(self: Any, *args: Any, **options: Any) -> Any:
            lane = running.lane
            if lane is None or not args:
                return original(self, *args, **options)
            marked = _marked(args, options)
            call = commands.command(_store(self), args)
            answer = lane.door.cross(lane, call, lambda: original(self, *args, **marked))
            return answer if marked is options else _result(self.response_callbacks, args, options, answer)

        return execute_command

    @staticmethod
    def parse(original: Original) -> Original:
        def parse_response(self: Any, connection: Any, command_name: Any, **options: Any) -> Any:
            if options.pop(_RAW, False):
                command_name = "_"  # which has no callback; the library does the same in transactions
            return original(self, connection, command_name, **options)

        return parse_response

    @staticmethod
    def immediate(original: Original) -> Original:
        def immediate_execute_command(self: Any, *args: Any, **options: Any) -> Any:
            lane = running.lane
            if lane is None:
                return original(self, *args, **options)
            marked = _marked(args, options)
            call = commands.command(_store(self), args)
            try:
                answer = lane.door.cross(lane, call, lambda: original(self, *args, **marked))
            except Exception as error:
                if type(error).__name__ == "WatchError":  # it has forgotten what it watched
                    self.reset()
                raise
            _watches(self, args)
            return answer if marked is options else _result(self.response_callbacks, args, options, answer)

        return immediate_execute_command

    @staticmethod
    def execute(original: Original) -> Original:
        def execute(self: Any, raise_on_error: bool = True) -> Any:
            lane, stack = running.lane, self.command_stack
            if lane is None or (not stack and not self.watching):
                return original(self, raise_on_error)
            call = commands.pipeline(_store(self), stack, self.transaction or self.explicit_transaction)

            def perform() -> Any:
                with _Raw(self):
                    return original(self, raise_on_error)

            try:
                answers = lane.door.cross(lane, call, perform)
            finally:
                self.reset()
            return _results(self, stack, answers)

        return execute

    @staticmethod
    def subscribe(original: Original) -> Original:
        def execute_command(self: Any, *args: Any) -> Any:
            lane = running.lane
            if lane is None:
                return original(self, *args)
            return lane.door.cross(lane, commands.command(_store(self), args), lambda: original(self, *args))

        return execute_command

    @staticmethod
    def message(original: Original) -> Original:
        def parse_response(self: Any, block: bool = True, timeout: float = 0) -> Any:
            lane = running.lane
            if lane is None:
                return original(self, block, timeout)
            return lane.door.cross(lane, _message(self), lambda: original(self, block, timeout))

        return parse_response


class _Async:
    """The same of the asynchronous client."""

    @staticmethod
    def command(original: Original) -> Original:
        async def execute_command(self: Any, *args: Any, **options: Any) -> Any:
            lane = running.lane
            if lane is None or not args:
                return await original(self, *args, **options)
            if self.single_connection_client:
                await self.initialize()
            marked = _marked(args, options)
            call = commands.command(_store(self), args)
            answer = await lane.door.across(lane, call, lambda: original(self, *args, **marked))
            if marked is options:
                return answer
            result = _result(self.response_callbacks, args, options, answer)
            return await result if hasattr(result, "__await__") else result

        return execute_command

    @staticmethod
    def parse(original: Original) -> Original:
        async def parse_response(self: Any, connection: Any, command_name: Any, **options: Any) -> Any:
            if options.pop(_RAW, False):
                command_name = "_"
            return await original(self, connection, command_name, **options)

        return parse_response

    @staticmethod
    def immediate(original: Original) -> Original:
        async def immediate_execute_command(self: Any, *args: Any, **options: Any) -> Any:
            lane = running.lane
            if lane is None:
                return await original(self, *args, **options)
            setattr(self, _HELD, True)
            marked = _marked(args, options)
            call = commands.command(_store(self), args)
            try:
                answer = await lane.door.across(lane, call, lambda: original(self, *args, **marked))
            except Exception as error:
                if type(error).__name__ == "WatchError":
                    await self.reset()
                raise
            _watches(self, args)
            if marked is options:
                return answer
            result = _result(self.response_callbacks, args, options, answer)
            return await result if hasattr(result, "__await__") else result

        return immediate_execute_command

    @staticmethod
    def execute(original: Original) -> Original:
        async def execute(self: Any, raise_on_error: bool = True) -> Any:
            lane, stack = running.lane, self.command_stack
            if lane is None or (not stack and not self.watching):
                return await original(self, raise_on_error)
            setattr(self, _HELD, False)
            call = commands.pipeline(_store(self), stack, self.is_transaction or self.explicit_transaction)

            async def perform() -> Any:
                with _Raw(self):
                    return await original(self, raise_on_error)

            try:
                answers = await lane.door.across(lane, call, perform)
            finally:
                await self.reset()
            results = _results(self, stack, answers)
            return [await result if hasattr(result, "__await__") else result for result in results]

        return execute

    @staticmethod
    def subscribe(original: Original) -> Original:
        async def execute_command(self: Any, *args: Any) -> Any:
            lane = running.lane
            if lane is None:
                return await original(self, *args)
            return await lane.door.across(lane, commands.command(_store(self), args), lambda: original(self, *args))

        return execute_command

    @staticmethod
    def message(original: Original) -> Original:
        async def parse_response(self: Any, block: bool = True, timeout: float = 0) -> Any:
            lane = running.lane
            if lane is None:
                return await original(self, block, timeout)
            return await lane.door.across(lane, _message(self), lambda: original(self, block, timeout))

        return parse_response


def _results(pipeline: Any, stack: Any, answers: Any) -> list[Any]:
    """A pipeline's answers as its client gives them; an answer that is an error stays one."""
    return [
        answer if isinstance(answer, Exception) else _result(pipeline.response_callbacks, args, options, answer)
        for (args, options), answer in zip(stack, answers, strict=True)
    ]


def _message(subscription: Any) -> Call[Any]:
    return Call("memory", "redis.message", "read", {"store": _store(subscription)})


def _reset(original: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    close = _later("redis reset")(original)

    async def reset(self: Any) -> None:
        if running.lane is not None and getattr(self, _HELD, False):
            setattr(self, _HELD, False)
            await close(self)
        with nobody():
            await original(self)  # without a connection, this doesn't suspend

    return reset


def _closed(original: Original) -> Original:
    close = _later("redis aclose")(original)

    async def aclose(self: Any, *args: Any, **kwargs: Any) -> None:
        await close(self, *args, **kwargs)
        self.connection = None  # one that was never opened has nothing to give back, but mustn't seem forgotten

    return aclose


def _unsubscribed(original: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    close = _later("redis unsubscribe")(original)

    async def aclose(self: Any) -> None:
        await close(self)
        if running.lane is not None:
            with nobody():
                await original(self)  # what it forgets about itself, at replay as well

    return aclose


def _later(what: str) -> Callable[[Original], Original]:
    """An asynchronous method whose outcome is only that it took its time."""

    def wrap(original: Original) -> Original:
        async def wait(self: Any, *args: Any, **kwargs: Any) -> Any:
            lane = running.lane
            if lane is None:
                return await original(self, *args, **kwargs)
            call: Call[Any] = Call("order", what, "read", dump=_nothing)
            return await lane.door.across(lane, call, lambda: original(self, *args, **kwargs))

        return wait

    return wrap


def _nothing(_: Any) -> None:
    """What isn't stored."""


# -- connections that the program uses itself --------------------------------------------------------------------


def _connections(library: Any) -> None:
    for name in ("ConnectionPool", "BlockingConnectionPool"):
        pool = getattr(library, name)
        patch(pool, "get_connection", _taken)
        for closing in ("release", "disconnect"):
            patch(pool, closing, aside)
    connection = library.AbstractConnection
    for name, effect in (("send_packed_command", "write"), ("read_response", "read"), ("can_read", "read")):
        patch(connection, name, _direct(name, effect))
    patch(connection, "connect", _direct("connect", "read"))
    patch(connection, "disconnect", aside)


def _connections_async(library: Any) -> None:
    for name in ("ConnectionPool", "BlockingConnectionPool"):
        pool = getattr(library, name)
        patch(pool, "get_connection", _taken_async)
        for closing in ("release", "disconnect"):
            patch(pool, closing, _later(f"redis {closing}"))
    connection = library.AbstractConnection
    for name, effect in (("send_packed_command", "write"), ("read_response", "read"), ("can_read_destructive", "read")):
        patch(connection, name, _direct_async(name, effect))
    patch(connection, "connect", _direct_async("connect", "read"))
    patch(connection, "disconnect", _later("redis disconnect"))


def _taking(pool: Any) -> Call[Any]:
    def never_opened(_: Any) -> Any:
        with nobody():
            return pool.make_connection()

    return Call("order", "redis get_connection", "read", dump=_nothing, load=never_opened)


def _taken(original: Original) -> Original:
    def get_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return original(self, *args, **kwargs)
        return lane.door.cross(lane, _taking(self), lambda: original(self, *args, **kwargs))

    return get_connection


def _taken_async(original: Original) -> Original:
    async def get_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is None:
            return await original(self, *args, **kwargs)
        return await lane.door.across(lane, _taking(self), lambda: original(self, *args, **kwargs))

    return get_connection


def _on(connection: Any, name: str, effect: Any) -> Call[Any]:
    settings = {key: getattr(connection, key) for key in ("host", "port", "path", "db") if hasattr(connection, key)}
    return Call("memory", f"redis.{name}", effect, {"store": commands.url_of(settings)})


def _direct(name: str, effect: str) -> Callable[[Original], Original]:
    def wrap(original: Original) -> Original:
        def on_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
            lane = running.lane
            if lane is None:
                return original(self, *args, **kwargs)
            return lane.door.cross(lane, _on(self, name, effect), lambda: original(self, *args, **kwargs))

        return on_connection

    return wrap


def _direct_async(name: str, effect: str) -> Callable[[Original], Original]:
    def wrap(original: Original) -> Original:
        async def on_connection(self: Any, *args: Any, **kwargs: Any) -> Any:
            lane = running.lane
            if lane is None:
                return await original(self, *args, **kwargs)
            return await lane.door.across(lane, _on(self, name, effect), lambda: original(self, *args, **kwargs))

        return on_connection

    return wrap
