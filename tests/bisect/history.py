"""Repositories of many commits around an agent, one of which makes it refund twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.e2e import cli, shown

AGENT = '''
"""A support agent: it asks a model, and does what that says."""

import json
import os
import urllib.request

import replay
from desk import is_refunded, note

PROMPT = "You refund customers of a tea shop."


@replay.tool(effect="read")
def lookup(order):
    return {"order": order, "items": ["tea"], "paid": 12}


@replay.tool(effect="write")
def refund(order, amount):
    note(order)
    return {"order": order, "refunded": amount}


def ask(messages):
    body = json.dumps({"model": "scripted", "messages": messages}).encode()
    request = urllib.request.Request(os.environ["AGENT_URL"], body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())["choices"][0]["message"]["content"]


messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": "My tea is broken, order A-17."}]
lookup("A-17")
for _ in range(3):
    answer = ask(messages)
    messages.append({"role": "assistant", "content": answer})
    for order in json.loads(answer)["refund"]:
        if not is_refunded(order):
            refund(order, 12)
    messages.append({"role": "user", "content": "Is it done?"})
print("done")
'''

DESK = '''
"""What was refunded. Change {number}."""

_DONE = []


def note(order):
    _DONE.append(order)


def is_refunded(order):
    return {guard}
'''

BROKEN = "def broken(:\n"


def desk(number: int, *, good: bool, broken: bool = False) -> str:
    """The module that knows what was refunded, or doesn't."""
    return DESK.format(number=number, guard="order in _DONE" if good else "False") + (BROKEN if broken else "")


def git(root: Path, *words: str, code: int = 0, **more: Any) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {f"GIT_{role}_{what}": "tester@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", "-C", str(root), *words]
    done = subprocess.run(command, env=environ | who, capture_output=True, check=False, text=True, **more)
    assert done.returncode == code, f"git {' '.join(words)}: {done.returncode} {done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def repository(root: Path) -> Path:
    root.mkdir(parents=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    return root


def commit(root: Path, message: str, **files: str) -> str:
    """The files (`__` stands for a slash, `_py` at the end for `.py`), committed."""
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_py", ".py").replace("_txt", ".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    return git(root, "rev-parse", "HEAD")


def history(root: Path, branch: str, length: int, culprit: int, broken: Collection[int] = ()) -> list[str]:
    """A branch of so many commits in one line, the first one first; `broken` ones can't be imported by Python."""
    stream: list[str] = []
    for number in range(length):
        message, who = f"Change {number}", f"A Tester <tester@example.org> {1_700_000_000 + number} +0000"
        stream.append(f"commit refs/heads/{branch}\nmark :{number + 1}\nauthor {who}\ncommitter {who}\n")
        stream.append(f"data {len(message)}\n{message}\n" + (f"from :{number}\n" if number else ""))
        files = {"desk.py": desk(number, good=number < culprit, broken=number in broken)}
        for path, text in (files | ({} if number else {"agent.py": AGENT})).items():
            stream.append(f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n")
    git(root, "fast-import", "--quiet", input="".join(stream))
    return git(root, "rev-list", "--reverse", branch).split()


@contextmanager
def model() -> Generator[str]:
    """Its URL: it asks for the refund in its first two answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Model) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/chat/completions"
        server.shutdown()


class _Model(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the inherited name
        """Silent."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        said = json.dumps({"refund": ["A-17"] if len(request["messages"]) < 5 else []})
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        body = json.dumps({"id": "x", "object": "chat.completion", "model": "scripted", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def record_at(root: Path, revision: str, cassette: Path, *program: str, **variables: str) -> Path:
    """The program (the agent by default) at that commit, recorded in the repository itself."""
    before = git(root, "rev-parse", "--abbrev-ref", "HEAD")
    git(root, "checkout", "--quiet", "--force", revision)
    with model() as url:
        env = {**os.environ, **variables, "AGENT_URL": url}
        done = cli("record", "-o", cassette, "--", sys.executable, *(program or ("agent.py",)), cwd=root, env=env)
    assert done.returncode == 0, shown(done)
    git(root, "checkout", "--quiet", "--force", before if before != "HEAD" else "main")
    return cassette
