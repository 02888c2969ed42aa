"""aiohttp's errors know a request or a connection, in objects that no cassette can store: taken apart before they are
stored and put together again behind the crossing, when recording and at replay alike."""

from __future__ import annotations

from typing import Any


def take_apart(error: Any) -> None:
    """Leave only plain values in an error that is about to be an outcome."""
    info, key, headers = (getattr(error, name, None) for name in ("request_info", "_conn_key", "headers"))
    if info is not None:
        error.request_info = [str(info.url), info.method, _pairs(info.headers), str(info.real_url)]
        error.history = error.args = ()
    if headers is not None:
        error.headers = _pairs(headers)
    if key is not None:
        error._conn_key = [key.host, key.port, key.is_ssl]
        error.args = (None, *error.args[1:])


def put_together(error: Any, module: Any, req: Any) -> None:
    """The error as the program knows it.

    Args:
        module: aiohttp. req: the request that failed.
    """
    from multidict import CIMultiDict, CIMultiDictProxy
    from yarl import URL

    info: Any = getattr(error, "request_info", None)
    key: Any = getattr(error, "_conn_key", None)
    headers: Any = getattr(error, "headers", None)
    if _taken_apart(info):
        url, method, pairs, real_url = info
        known = CIMultiDictProxy(CIMultiDict(pairs))
        error.request_info = module.RequestInfo(URL(url), method, known, URL(real_url))
        error.args = (error.request_info, error.history)
    if _taken_apart(headers):
        error.headers = CIMultiDictProxy(CIMultiDict(headers))
    if _taken_apart(key):
        host, port, is_ssl = key
        error._conn_key = req.connection_key._replace(host=host, port=port, is_ssl=is_ssl)
        error.args = (error._conn_key, *error.args[1:])


def _pairs(headers: Any) -> list[list[str]]:
    return [[str(name), str(value)] for name, value in headers.items()]


def _taken_apart(value: Any) -> bool:
    return isinstance(value, list)
