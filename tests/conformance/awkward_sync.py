"""What synchronous clients seldom meet. An ordinary program; prints a line `name: outcome` for each case.

python -m tests.conformance.awkward_sync PORT TLS_PORT
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import ssl
import sys
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import requests
import urllib3

import replay
from tests.conformance.awkward_server import CERTIFICATE

PORT, TLS_PORT = map(int, sys.argv[1:])
BASE, SECURE = f"http://127.0.0.1:{PORT}", f"https://127.0.0.1:{TLS_PORT}"
CA = str(CERTIFICATE)
TRUST = ssl.create_default_context(cafile=CA)


def case(name: str, ask: Callable[[], Any]) -> None:
    try:
        outcome = ask()
    except Exception as error:
        outcome = f"raised {type(error).__module__}.{type(error).__qualname__}: {str(error)[:300]}"
    print(f"{name}: {outcome}", flush=True)


def digest(data: bytes) -> str:
    return f"{len(data)} {hashlib.md5(data).hexdigest()}"


def failing_body() -> Iterator[bytes]:
    yield b"a"
    raise ValueError("the program's own")


def encrypted() -> None:
    session = requests.Session()
    case("TLS", lambda: session.get(SECURE + "/a", verify=CA).json())
    case("TLS kept alive", lambda: session.get(SECURE + "/b", verify=CA).json())
    case("TLS untrusted", lambda: requests.get(SECURE + "/a"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case("TLS unverified", lambda: requests.get(SECURE + "/a", verify=False).json())
        case("warnings", lambda: [warning.category.__name__ for warning in caught])
    case("TLS urllib", lambda: urllib.request.urlopen(SECURE + "/x", context=TRUST).read())
    case("TLS urllib untrusted", lambda: urllib.request.urlopen(SECURE + "/x"))
    connection = http.client.HTTPSConnection("127.0.0.1", TLS_PORT, context=TRUST)
    for name in ("first", "second"):
        connection.request("GET", f"/{name}")
        case(f"TLS http.client {name}", lambda: connection.getresponse().read())
    connection.close()
    case("TLS httpx", lambda: httpx.get(SECURE + "/a", verify=TRUST).json())


def framed() -> None:
    session = requests.Session()
    case("204", lambda: [session.get(BASE + "/204").status_code, session.get(BASE + "/204").text])
    case("304", lambda: [session.get(BASE + "/304").status_code, session.get(BASE + "/304").text])
    case("HEAD", lambda: max(session.head(BASE + "/head").headers))
    case("big", lambda: digest(session.get(BASE + "/big").content))
    case("big chunk", lambda: [len(part) for part in session.get(BASE + "/bigchunk", stream=True).iter_content(400000)])
    case("until closed", lambda: digest(session.get(BASE + "/until").content))
    case("100 first", lambda: session.get(BASE + "/early").json())
    case("not HTTP", lambda: session.get(BASE + "/nothttp"))
    case("cut chunk", lambda: session.get(BASE + "/cutchunk"))
    case("cut chunk urllib", lambda: urllib.request.urlopen(BASE + "/cutchunk").read())
    pool = urllib3.PoolManager()
    for number in range(3):
        case(f"dropped {number}", lambda: session.get(BASE + "/drop").json())
        case(f"dropped {number} urllib3", lambda: pool.request("GET", BASE + "/drop").json())
    case("lines", lambda: list(urllib.request.urlopen(BASE + "/echo", data=b"a\nb\nc\n")))
    case("json", lambda: json.load(urllib.request.urlopen(BASE + "/j")))


def uploaded() -> None:
    session = requests.Session()
    case("big upload", lambda: digest(session.post(BASE + "/echo", data=b"x" * 2_000_000).content))
    with CERTIFICATE.with_name("awkward_server.py").open("rb") as file:
        case("file", lambda: digest(session.post(BASE + "/echo", data=file).content))
    case("multipart", lambda: len(session.post(BASE + "/echo", files={"f": ("a.txt", b"hello")}).content))
    case("failing body", lambda: session.post(BASE + "/echo", data=failing_body()))
    case("failing body httpx", lambda: httpx.post(BASE + "/echo", content=failing_body()))
    case("multipart httpx", lambda: len(httpx.post(BASE + "/echo", files={"f": ("a", b"x")}).content))
    forgotten = http.client.HTTPConnection("127.0.0.1", PORT)
    forgotten.request("POST", "/forgotten", body=b"nobody waits")
    forgotten.close()
    case("expect", expect)
    case("partly read", partly_read)


def expect() -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.putrequest("POST", "/echo")
    connection.putheader("Content-Length", "4")
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    interim: Any = http.client.HTTPResponse(connection.sock, method="POST")
    status = interim._read_status()
    interim.fp.readline()
    connection.send(b"body")
    response = connection.getresponse()
    outcome = [status, response.status, response.read()]
    connection.close()
    return outcome


def partly_read() -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", "/big")
    response = connection.getresponse()
    size = len(response.read(10))
    response.close()
    connection.close()
    connection.request("GET", "/after")
    outcome = [size, connection.getresponse().read()]
    connection.close()
    return outcome


def proxied() -> None:
    for name in ("NO_PROXY", "no_proxy"):
        os.environ.pop(name, None)
    there = f"http://user:word@127.0.0.1:{PORT}"
    proxies = {"http": there, "https": there}
    case("proxy", lambda: requests.get("http://example.test/z?k=1", proxies=proxies).json()["proxied"])
    case("tunnel", lambda: requests.get(SECURE + "/t", proxies=proxies, verify=CA).json())
    case("tunnel denied", lambda: requests.get("https://deny.test/t", proxies=proxies))
    case("no proxy there", lambda: requests.get("http://example.test/", proxies={"http": "http://127.0.0.1:1"}))
    case("proxy httpx", lambda: httpx.get("http://example.test/z", proxy=there).json()["proxied"])
    case("tunnel httpx", lambda: httpx.get(SECURE + "/z", proxy=there, verify=TRUST).json())
    connection = http.client.HTTPSConnection("127.0.0.1", PORT, context=TRUST)
    connection.set_tunnel("127.0.0.1", TLS_PORT)
    connection.request("GET", "/tunnelled")
    case("tunnel http.client", lambda: connection.getresponse().read())
    connection.close()


def shared() -> None:
    """A session that a tool uses as well: its connections are open before the agent uses them, but not at replay."""
    session = requests.Session()

    @replay.tool(effect="read")
    def look_up() -> Any:
        return session.get(BASE + "/inside").json()

    for number in range(2):
        case(f"tool {number}", look_up)
        case(f"agent {number}", lambda: session.get(BASE + "/outside").json())


if __name__ == "__main__":
    for part in (encrypted, framed, uploaded, shared, proxied):
        part()
