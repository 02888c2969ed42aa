"""aiohttp's client: what a ClientSession sends through its connector.

The connector hands out a `Front` connection that connects nothing. The session writes its request into it, as it would
into a socket; once the request is whole, one crossing connects, sends it and waits for the head. So everything above
the connection is aiohttp's own code and runs again at replay: redirects, cookies, middlewares, timeouts,
content-decoding, and the `ClientResponse`, which is a real one on a connection that isn't.
"""

from __future__ import annotations

import copy
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any

from replay.boundary.door import Call
from replay.boundary.lanes import nobody, running
from replay.seams._aiohttp_body import reader_class
from replay.seams._aiohttp_front import Front, Library, Protocol
from replay.seams._http import tell
from replay.seams._seam import patch

_INNER_SIGNALS = (
    "on_connection_queued_start on_connection_queued_end on_connection_create_start on_connection_create_end "
    "on_connection_reuseconn on_dns_resolvehost_start on_dns_resolvehost_end on_dns_cache_hit on_dns_cache_miss"
).split()


def install(module: ModuleType) -> None:
    """Patch the connectors of `module`, aiohttp."""
    library: Any = module
    seam = _Seam(library)
    patch(library.BaseConnector, "connect", seam.wrap_connect)
    for connector in (library.BaseConnector, library.TCPConnector):
        patch(connector, "close", _wrap_close)


class _Seam:
    def __init__(self, module: Any) -> None:
        self._library = Library(module, reader_class(module))
        self._timeout: Any = module.ConnectionTimeoutError
        self._connection: Any = type("FrontConnection", (Front, module.connector.Connection), {})
        self._protocol: Any = type("FrontProtocol", (Protocol, module.client_proto.ResponseHandler), {})

    def wrap_connect(self, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def connect(connector: Any, req: Any, traces: Any, timeout: Any) -> Any:
            lane = running.lane
            if lane is None:
                return await original(connector, req, traces, timeout)
            if req.headers.get("Upgrade"):
                return await original(_alone(connector), req, traces, timeout)
            if any(_has_inner_signals(trace) for trace in traces):
                lane.door.blind("callback", "aiohttp trace signals about connections and name look-up")
            tell(lane, req.headers)
            if req.proxy:
                connector._update_proxy_auth_header_and_build_proxy_req(req)

            async def reach() -> Any:
                try:
                    return await original(connector, req, traces, timeout)
                except TimeoutError as error:
                    # What the session would have made of it.
                    raise self._timeout(f"Connection timeout to host {req.url}") from error

            return self._connection(connector, self._protocol(self._library, req, reach))

        return connect


def _has_inner_signals(trace: Any) -> bool:
    config = getattr(trace, "_trace_config", None)
    return any(getattr(config, name, None) for name in _INNER_SIGNALS)


def _wrap_close(original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """How often closing suspends depends on the connections there are, so it is a crossing."""

    def close(self: Any, *args: Any, **kwargs: Any) -> Awaitable[None]:
        lane = running.lane
        if lane is None or self._closed:
            return original(self, *args, **kwargs)

        async def perform() -> None:
            await original(self, *args, **kwargs)

        async def crossing() -> None:
            for alone in getattr(self, "_replay_alone", ()):
                websocket = alone()
                if websocket is not None:
                    websocket._close()
            await lane.door.across(lane, Call("order", "aiohttp connector close", "read"), perform)
            if not self._closed:  # at replay nothing is open
                with nobody():
                    self._close()

        return crossing()

    return close


def _alone(connector: Any) -> Any:
    """The connector of one websocket, whose connection is the program's own and recorded as such (`runtime.tap`).

    What there is in the pool was opened inside of crossings, and isn't there at replay.
    """
    own = copy.copy(connector)
    state: dict[str, Any] = connector.__dict__
    for name in [name for name, held in state.items() if isinstance(held, (dict, set, deque))]:
        emptied = copy.copy(state[name])
        emptied.clear()
        setattr(own, name, emptied)
    if hasattr(own, "_cached_hosts"):
        own._cached_hosts = type(own._cached_hosts)()
    own._force_close = True  # nobody closes it
    state.setdefault("_replay_alone", []).append(weakref.ref(own))
    return own
