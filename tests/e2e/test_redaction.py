"""Planted canaries: no byte of them in the file, however the recording ends, and replays are identical all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from replay.cassette.reader import Reader
from replay.launch import record_command, run
from tests.support.programs import explained, record, replays

CANARIES = {
    "anthropic": "sk-ant-api03-cAnArY0123456789abcdefghijKLMN",
    "openai": "sk-proj-cAnArY9876543210ZYXWvutsrq",
    "github": "ghp_cAnArY5555aaaaBBBBccccDDDDeeee000011",
    "aws": "AKIACANARY1234567890",
    "google": "AIzaSyCANARY-1234567890abcdefghijklmnop",
    "slack": "xoxb-1234567890-canaryCANARYcanary",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ",
    "email": "canary.bird@coalmine.example.org",
    "card": "4111 1111 1111 1111",
    "plain_card": "5500005555555559",
    "iban": "DE89370400440532013000",
    "phone": "+49 30 901820 77",
    "us_phone": "(415) 555-2671",
}
NAMED = "unusual-shape.of/a/key-77"
COOKIE = "monster0cookie1value"
BASIC = "dXNlcjpjYW5hcnktcGFzc3dvcmQ="

PROGRAM = r"""
import json, os, sqlite3, subprocess, sys, socket, urllib.request, http.client
import replay

canaries = json.load(open("canaries.json"))
named = os.environ["SERVICE_API_KEY"]
host, port = os.environ["SERVER"].split(":")
canaries["named"] = named

@replay.tool
def look_up(customer, notes):
    return {"customer": customer, "found": [note.upper() for note in notes], "length": len(customer)}

@replay.tool(effect="read")
def fails(text):
    raise ValueError(f"can't reach {text}", text)

for name, canary in canaries.items():
    print(name, canary, len(canary))
    found = look_up(canary, [f"about {canary}, urgently", canary])
    print(json.dumps(found))
    try:
        fails(canary)
    except ValueError as error:
        print(error, error.args)
    connection = http.client.HTTPConnection(host, int(port))
    body = json.dumps({"messages": [{"role": "user", "content": f"I am {canary}."}] * 9, "password": "hunter2hunter"})
    connection.request("POST", f"/echo?api_key={named}", body, {
        "Authorization": "Bearer " + canaries["openai"], "Cookie": "session=monster0cookie1value",
        "Proxy-Authorization": "Basic dXNlcjpjYW5hcnktcGFzc3dvcmQ=", "Content-Type": "application/json",
        "X-Note": "from " + canary})
    response = connection.getresponse()
    answer = json.loads(response.read())
    first = answer["echo"]["messages"][0]["content"]
    print(first, response.getheader("X-Contact"), first == f"I am {canary}.")
    connection.close()
    with open(f"out-{name}.txt", "w") as file:
        file.write(f"{canary} was here\n")
    print(open(f"out-{name}.txt").read())
    variables = {"MY_TOKEN": named, "X": canary}
    done = subprocess.run(["/bin/echo", "say", canary], capture_output=True, text=True, env=variables)
    print(done.stdout)
    raw = socket.create_connection((host, int(port)))
    raw.sendall(f"GET /raw HTTP/1.0\r\nX-Canary: {canary}\r\n\r\n".encode())
    said = b""
    while piece := raw.recv(65536):
        said += piece
    print(said.splitlines()[-1])
    raw.close()
print(sys.argv[1:], os.environ.get("PLAIN"))
if "wait" in os.environ:
    print("READY", flush=True)
    sys.stdin.read()
"""


class _Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"echo": sent, "all": CANARIES}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Contact", self.headers["X-Note"])
        self.send_header("Set-Cookie", f"session={COOKIE}; Path=/")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nyou said " + self.headers["X-Canary"].encode() + b"\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def server() -> Generator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def stored(path: Path) -> bytes:
    """Every byte of a cassette and of its children's, unpacked as well."""
    found: list[bytes] = []
    for file in [path, *path.with_suffix(".d").glob("**/*.cassette")]:
        found.append(file.read_bytes())
        with Reader.open(file) as reader:
            found += [bytes(payload) for *_, payload in reader.frames()]
    return b"\0".join(found)


def leaked(path: Path) -> list[str]:
    """The canaries that stand in it, also without their separators and as the wire spells them."""
    data = stored(path)
    secrets = [*CANARIES.values(), NAMED, COOKIE, BASIC, "hunter2hunter"]
    return [secret for secret in secrets if secret.encode() in data or secret.replace("@", "%40").encode() in data]


def _program(directory: Path, server: str) -> tuple[list[str], dict[str, str]]:
    (directory / "program.py").write_text(PROGRAM)
    (directory / "canaries.json").write_text(json.dumps(CANARIES))
    command = [sys.executable, str(directory / "program.py"), "--to", CANARIES["email"], "--key", CANARIES["aws"]]
    variables = {**os.environ, "SERVICE_API_KEY": NAMED, "SERVER": server, "PLAIN": f"mail {CANARIES['email']}"}
    return command, variables


def test_no_canary_is_in_the_file(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command, variables = _program(tmp_path, server)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.cassette"
    made = record_command(command, str(path), variables=variables, output="capture")
    assert made.exit_code == 0
    assert leaked(path) == []
    again = run(str(path))
    assert again.identical, explained(again)
    assert again.exit_code == 0


def test_no_canary_after_kill_9(tmp_path: Path, server: str) -> None:
    command, variables = _program(tmp_path, server)
    path = tmp_path / "x.cassette"
    with subprocess.Popen(
        [sys.executable, "-m", "replay_cli", "record", "-o", str(path), "--", *command],
        env={**variables, "wait": "1"},
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == b"READY\n":
                break
        os.killpg(process.pid, signal.SIGKILL)
    assert leaked(path) == []
    assert b"@r.invalid" in stored(path)


def test_a_program_that_looks_at_how_its_key_begins(tmp_path: Path) -> None:
    source = """
    import os
    key = os.environ["OPENAI_API_KEY"]
    print("a key" if key.startswith("sk-") and len(key) == 35 else f"no key: {key}")
    """
    secret = "sk-0123456789abcdefghijklmnopqrstuv"
    found = replays(tmp_path, source, times=1, variables={"OPENAI_API_KEY": secret})
    assert found.text == "a key\n"
    assert secret[3:].encode() not in Path(found.path).read_bytes()


def test_a_program_that_looks_into_its_key_is_told_why_it_differs(tmp_path: Path) -> None:
    source = 'import os; print(os.environ["OPENAI_API_KEY"][-4:])'
    made = record(tmp_path, source, variables={"OPENAI_API_KEY": "sk-0123456789abcdefghijklmnopqrstuv"})
    divergence = made.again().divergence
    assert divergence is not None
    assert "a secret is replaced: a program that looks into it goes another way" in divergence.why
