"""A replay touches nothing outside its scratch directory: each attempt is refused, named, and fails the replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.programs import explained, record, replays

REFUSED = {
    "connection": """
        import _socket
        _socket.socket().connect_ex(("127.0.0.1", 9))
    """,
    "datagram": """
        import _socket, socket
        _socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9))
    """,
    "unix socket": """
        import _socket, socket
        _socket.socket(socket.AF_UNIX).connect_ex("/nowhere/x")
    """,
    "name look-up": "import _socket; _socket.getaddrinfo('localhost', 80)",
    "signal": "import os, posix; posix.kill(os.getppid(), 0)",  # past the seam
}
CONTAINED = {
    "write": "open(HERE + '/made', 'w').close()",
    "append": "open(HERE + '/there', 'ab').close()",
    "update": "open(HERE + '/there', 'r+').close()",
    "os.open": "import os; os.close(os.open(HERE + '/there', os.O_WRONLY))",
    "pathlib": "import pathlib; pathlib.Path(HERE, 'made').write_text('x')",
    "remove": "import os; os.remove(HERE + '/there')",
    "rename": "import os; os.rename(HERE + '/there', HERE + '/moved')",
    "mkdir": "import os; os.mkdir(HERE + '/made')",
    "rmdir": "import os; os.rmdir(HERE + '/empty')",
    "symlink": "import os; os.symlink('x', HERE + '/made')",
    "link": "import os; os.link(HERE + '/there', HERE + '/made')",
    "chmod": "import os; os.chmod(HERE + '/there', 0o600)",
    "truncate": "import os; os.truncate(HERE + '/there', 0)",
    "utime": "import os; os.utime(HERE + '/there')",
    "copy": "import shutil; shutil.copy(HERE + '/there', HERE + '/made')",
    "tree": "import shutil; shutil.rmtree(HERE + '/empty')",
    "sqlite": "import sqlite3; sqlite3.connect(HERE + '/made.db').execute('create table t (x)').close()",
}


def state(root: Path) -> list[tuple[str, int, int]]:
    return sorted((str(p.relative_to(root)), p.stat().st_mtime_ns, p.stat().st_mode) for p in root.rglob("*"))


@pytest.mark.parametrize("what", [*REFUSED, *CONTAINED])
def test_refused_and_named_or_contained(tmp_path: Path, what: str) -> None:
    """What changes files happens in the overlay; everything else is refused. The world stays as it is."""
    world = tmp_path / "world"

    def make() -> None:
        for found in sorted(world.rglob("*"), reverse=True):
            found.rmdir() if found.is_dir() else found.unlink()
        world.mkdir(exist_ok=True)
        (world / "empty").mkdir()
        (world / "there").write_text("there")

    make()
    body = (REFUSED | CONTAINED)[what].strip("\n")
    indent = len(body) - len(body.lstrip())
    lines = "\n".join(line[indent:] for line in body.splitlines())
    found = record(tmp_path, f"HERE = {str(world)!r}\n{lines}\nprint('went on')\n")
    assert found.stdout == b"went on\n", found.stderr.decode()
    make()
    before = state(world)
    again = found.again()
    assert state(world) == before
    if what in CONTAINED:
        assert (again.identical, again.escapes) == (True, ()), explained(again)
        return
    assert not again.identical
    assert again.escapes, explained(again)
    assert again.escapes[0].site is not None
    assert again.escapes[0].site.startswith(str(found.program))
    assert state(world) == before


def test_swallowing_the_refusal_does_not_help(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import _socket
        try:
            _socket.socket().connect(("127.0.0.1", 9))
        except Exception:
            pass
        print("calm")
        """,
    )
    again = found.again()
    assert (again.identical, [escape.what for escape in again.escapes]) == (False, ["connection"])


def test_allowed(tmp_path: Path) -> None:
    """Reading, the scratch directory, the standard streams, devices, socket pairs, threads."""
    replays(
        tmp_path,
        """
        import os, pathlib, socket, sys, tempfile, threading
        print(len(open(__file__).read()) > 3, os.path.exists(__file__), len(os.listdir(os.path.dirname(__file__))) > 0)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "x"); path.write_text("text"); path.rename(path.with_name("y"))
            print(sorted(os.listdir(folder)), pathlib.Path(folder, "y").read_text())
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"x")
        with open(os.devnull, "w") as null:
            print("nothing", file=null)
        left, right = socket.socketpair()
        left.sendall(b"pair"); left.sendmsg([b"s"]); print(right.recv(9)); left.close(); right.close()
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0)); print("bound")
        t = threading.Thread(target=print, args=("thread",)); t.start(); t.join()
        read, write = os.pipe(); os.write(write, b"p"); print(os.read(read, 1))
        """,
        times=1,
    )


def test_blind_spots_of_a_recording(tmp_path: Path) -> None:
    """What no seam saw is in the cassette, with its place and how often."""
    (tmp_path / "input.json").write_text(json.dumps({"a": 1}))
    found = record(
        tmp_path,
        f"""
        import json, os, pathlib, socket, subprocess, sys
        for _ in range(3):
            subprocess.run(["true"], stderr=subprocess.DEVNULL)
        json.load(open({str(tmp_path / "input.json")!r}))
        pathlib.Path({str(tmp_path / "out.txt")!r}).write_text("x")
        open(__file__).close(); open("/dev/null").close()
        subprocess.run([sys.executable, "-c", ""]); os.system("true")
        """,
    )
    assert found.exit_code == 0, found.stderr.decode()
    spots = {(spot.what, spot.detail): spot for spot in found.cassette().blind_spots}
    printing = spots["process output", "true writes to its inherited stdout"]
    assert printing.count == 3
    assert printing.site is not None
    assert (printing.site.file, printing.site.line) == (str(found.program), 3)
    assert {what for what, _ in spots} == {"process output"}
