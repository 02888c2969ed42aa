"""The viewer's server on a real socket: what it refuses, what it serves, that it ends."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from replay.model.errors import PortTaken
from replay.viewer import Viewer
from replay.viewer.guard import HEADERS
from tests.support.e2e import REPLAY, cli
from tests.support.hostile import hostile
from tests.support.viewing import viewing


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile(tmp_path_factory.mktemp("served") / "it.cassette", big=0)


@pytest.fixture(scope="module")
def viewer(cassette: Path) -> Iterator[Viewer]:
    with viewing(cassette) as found:
        yield found


def ask(viewer: Viewer, path: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request as it is written, nothing tidied: `path` may have `..` in it. `Host`: None leaves it out."""
    given = {"Host": f"127.0.0.1:{viewer.port}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    with socket.create_connection(("127.0.0.1", viewer.port), timeout=30) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        return answer.status, dict(answer.getheaders()), answer.read()


def test_everything_has_the_headers(viewer: Viewer) -> None:
    for path in (f"/{viewer.token}/", f"/{viewer.token}/main.js", f"/{viewer.token}/api/runs", "/", "/nothing"):
        _, headers, _ = ask(viewer, path)
        assert HEADERS.items() <= headers.items()
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "python" not in headers["Server"].lower()


def test_the_page_needs_nothing_from_elsewhere(viewer: Viewer) -> None:
    status, headers, page = ask(viewer, f"/{viewer.token}/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for name, (_, _, content) in viewer.static.items():
        assert b"http://" not in content.replace(b"http://www.w3.org/2000/svg", b""), name
        assert b"https://" not in content, name
    assert b"<script>" not in page
    for sink in (b"innerHTML", b"outerHTML", b"insertAdjacentHTML", b"document.write", b"eval(", b"DOMParser"):
        assert not [name for name, (_, _, content) in viewer.static.items() if sink in content], sink


def test_without_the_token_nothing_is_served(viewer: Viewer) -> None:
    for path in ("/", "/api/runs", "/main.js", "/index.html", f"/{viewer.token[:-1]}/", "/é/"):
        status, _, content = ask(viewer, path)
        assert status == 403
        assert b"it.cassette" not in content


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "attacker.invalid:{port}"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
    ],
)
def test_another_page_is_not_answered_even_with_the_token(viewer: Viewer, headers: dict[str, str], status: int) -> None:
    given = {name: value.format(port=viewer.port) for name, value in headers.items()}
    got, _, content = ask(viewer, f"/{viewer.token}/api/runs", **given)
    assert got == status
    assert b"cassette" not in content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_refused(viewer: Viewer, method: str) -> None:
    assert ask(viewer, f"/{viewer.token}/api/runs", method=method)[0] == 405


def test_head_has_no_content(viewer: Viewer) -> None:
    status, headers, content = ask(viewer, f"/{viewer.token}/api/runs", method="HEAD")
    assert (status, content) == (200, b"")
    assert int(headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    "path",
    ["../server.py", "..%2fserver.py", "/etc/passwd", "%2e%2e/guard.py", "static/main.js", "main.js/", "./main.js"],
)
def test_no_other_file_is_served(viewer: Viewer, path: str) -> None:
    assert ask(viewer, f"/{viewer.token}/{path}")[0] == 404


@pytest.mark.parametrize("name", ["/etc/passwd", "../it.cassette", "..", "%00"])
def test_no_other_cassette_is_read(viewer: Viewer, name: str) -> None:
    status, _, content = ask(viewer, f"/{viewer.token}/api/show?cassette={name}")
    assert status == 400
    assert json.loads(content)["error"]["slug"] == "cassette-missing"


@pytest.mark.parametrize(
    ("asked", "slug"),
    [
        ("api/nothing", "query-invalid"),
        ("api/event?cassette=it&event=x", "query-invalid"),
        ("api/event?cassette=it&event=99999", "usage"),
        ("api/run?cassette=it", "usage"),
        ("api/timeline?cassette=it&surprise=1", "query-invalid"),
    ],
)
def test_what_cannot_be_answered_says_why(viewer: Viewer, asked: str, slug: str) -> None:
    status, _, content = ask(viewer, f"/{viewer.token}/{asked}")
    error = json.loads(content)["error"]
    assert status == 400
    assert error["message"]
    assert error["slug"] == slug


def test_answers_are_json_whatever_was_recorded(viewer: Viewer) -> None:
    for number in range(len(json.loads(ask(viewer, f"/{viewer.token}/api/timeline?cassette=it")[2])["rows"])):
        status, _, content = ask(viewer, f"/{viewer.token}/api/event?cassette=it&event={number}")
        assert status == 200, content
        assert json.loads(content)["id"] == number


def test_it_listens_on_loopback_only(viewer: Viewer) -> None:
    assert viewer.url.startswith(f"http://127.0.0.1:{viewer.port}/")
    assert len(viewer.token) >= 32


def test_a_port_that_is_taken(viewer: Viewer, cassette: Path) -> None:
    with pytest.raises(PortTaken, match=str(viewer.port)):
        Viewer([cassette], port=viewer.port)
    done = cli("view", "--no-open", "--port", str(viewer.port), cassette)
    assert done.returncode == 129
    assert b"[port-taken]" in done.stderr


def test_ctrl_c_ends_it(cassette: Path) -> None:
    command = [REPLAY, "--json", "view", "--no-open", str(cassette)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", said["port"]), timeout=30):
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in stderr
    assert said["cassettes"] == ["it.cassette"]
    assert said["url"].startswith("http://127.0.0.1:")


def test_a_cassette_that_is_not_there() -> None:
    done = cli("view", "--no-open", "nothing-of-this-name")
    assert done.returncode == 125
    assert b"[cassette-missing]" in done.stderr
