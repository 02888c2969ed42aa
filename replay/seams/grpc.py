"""gRPC: unary calls of synchronous channels, by the bytes that go each way. Streams and `grpc.aio` are blind spots.

The call itself is made by threads in C. Serializers, interceptors and deserializers are the program's: they run again.
"""

from __future__ import annotations

import copy
import functools
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import nobody, running
from replay.seams._seam import patch

_STREAMS = (
    "_SingleThreadedUnaryStreamMultiCallable",
    "_UnaryStreamMultiCallable",
    "_StreamUnaryMultiCallable",
    "_StreamStreamMultiCallable",
)
_AIO = ("UnaryUnaryMultiCallable", "UnaryStreamMultiCallable", "StreamUnaryMultiCallable", "StreamStreamMultiCallable")
_targets: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def install(module: ModuleType) -> None:
    """Patch `grpc._channel` or `grpc.aio._channel`."""
    library: Any = module
    if module.__name__ == "grpc.aio._channel":
        patch(library.Channel, "__init__", _naming)
        for name in _AIO:
            patch(getattr(library, name), "__call__", _unseen)
        return
    unary = library._UnaryUnaryMultiCallable
    patch(unary, "_blocking", functools.partial(_unary, library))
    patch(unary, "future", _unseen)
    for name in _STREAMS:
        for way in ("__call__", "with_call", "future"):
            if way in vars(getattr(library, name)):
                patch(getattr(library, name), way, _unseen)


def _unary(library: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    common: Any = library._common

    def blocking(
        self: Any, request: Any, timeout: Any = None, metadata: Any = None, credentials: Any = None,
        wait_for_ready: Any = None, compression: Any = None,
    ) -> Any:  # fmt: skip
        lane = running.lane
        more = (timeout, metadata, credentials, wait_for_ready, compression)
        data = None if lane is None else common.serialize(request, self._request_serializer)
        if lane is None or data is None:  # what can't be serialized isn't sent
            with nobody():
                return original(self, request, *more)
        bare = copy.copy(self)
        bare._request_serializer = bare._response_deserializer = None

        def perform() -> dict[str, Any]:
            state, _ = original(bare, data, *more)
            return {
                "status": state.code.value[0],
                "reason": common.decode(state.details),
                "headers": _pairs(state.initial_metadata),
                "trailers": _pairs(state.trailing_metadata),
                "debug": state.debug_error_string,
                "body": state.response,
            }

        where, method = _where(self)
        asked = {"method": "POST", "url": f"grpc://{where}{method}", "headers": _pairs(metadata)}
        call: Call[Any] = Call("grpc", f"{where}{method}", "write", asked, data, chain=(lane.path, method))
        found: dict[str, Any] = lane.door.cross(lane, call, perform)
        return _state(library, self, found), None

    return blocking


def _state(library: Any, callable_: Any, found: dict[str, Any]) -> Any:
    """What the library knows of a call that has ended."""
    codes = {code.value[0]: code for code in library.grpc.StatusCode}
    made: Callable[[Any], Any] = library.cygrpc._Metadatum._make
    initial, trailing = ((*map(made, found[name]),) for name in ("headers", "trailers"))
    state = library._RPCState((), initial, trailing, codes[found["status"]], found["reason"])
    state.debug_error_string = found["debug"]
    state.method, state.target = library._common.decode(callable_._method), library._common.decode(callable_._target)
    if found["body"] is not None:
        state.response = library._common.deserialize(found["body"], callable_._response_deserializer)
        if state.response is None:
            state.code, state.details = library.grpc.StatusCode.INTERNAL, "Exception deserializing response!"
    return state


def _unseen(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        lane = running.lane
        if lane is not None:
            where, method = _where(self)
            lane.door.blind("grpc", f"{where}{method}: streams, futures and grpc.aio aren't recorded")
        return original(self, *args, **kwargs)

    return call


def _naming(original: Callable[..., Any]) -> Callable[..., Any]:
    def init(self: Any, target: str, *args: Any, **kwargs: Any) -> None:
        original(self, target, *args, **kwargs)
        _targets[self] = target

    return init


def _where(callable_: Any) -> tuple[str, str]:
    """(target of the channel, `/package.Service/Method`)."""
    method = callable_._method
    target = getattr(callable_, "_target", None) or _targets.get(getattr(callable_, "_python_channel", None), "")
    return _text(target), _text(method)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _pairs(metadata: Any) -> list[list[Any]]:
    return [[key, value] for key, value, *_ in metadata or ()]
