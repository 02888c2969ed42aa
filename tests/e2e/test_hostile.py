"""Programs that try to get out of a replay, by every way that we know: contained or reported, none silent.

A harmless program is recorded once, and each hostile one is replayed in its place; it swallows whatever it gets. Around
them are real listeners, a real file tree and a real process, which are looked at afterwards.
"""

from __future__ import annotations

import os
import platform
import select
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import replay
from replay.launch import Run
from tests.support.e2e import State, cli, cli_json, record, shown, snapshot, write

HEAD = """
import sys
HERE, HOME, PORT, UDP, UNIX, VICTIM, INHERITED = (int(w) if w.isdigit() else w for w in sys.argv[1:8])
def attack():
    pass
# the attack
try:
    attack()
except BaseException:
    pass
print("done")
"""
NATIVE_CONNECT = """
import ctypes, socket, struct
address = struct.pack("<HH4s8x", 2, socket.htons(PORT), socket.inet_aton("127.0.0.1"))
with socket.socket() as s:
"""
ATTACKS: dict[str, str] = {
    # the network
    "socket.connect": "import socket; socket.socket().connect(('127.0.0.1', PORT))",
    "connect_ex": "import socket; socket.socket().connect_ex(('127.0.0.1', PORT))",
    "_socket": "import _socket; _socket.socket(2, 1).connect(('127.0.0.1', PORT))",
    "create_connection": "import socket; socket.create_connection(('127.0.0.1', PORT))",
    "UDP sendto": "import socket; socket.socket(type=2).sendto(b'x', ('127.0.0.1', UDP))",
    "UDP sendmsg": "import socket; socket.socket(type=2).sendmsg([b'x'], [], 0, ('127.0.0.1', UDP))",
    "unix datagram": "import socket; socket.socket(1, 2).sendto(b'x', UNIX)",
    "name look-up": "import socket; socket.getaddrinfo('c2VjcmV0.example.com', 80)",
    "gethostbyname": "import socket; socket.gethostbyname('c2VjcmV0.example.com')",
    "loop.sock_connect": """
        import asyncio, socket
        async def main():
            s = socket.socket(); s.setblocking(False)
            await asyncio.get_running_loop().sock_connect(s, ("127.0.0.1", PORT))
        asyncio.run(main())
    """,
    "SMTP": "import smtplib; smtplib.SMTP('127.0.0.1', PORT, timeout=1)",
    "urllib": "import urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{PORT}/')",
    "send on an inherited socket": "import os; os.write(INHERITED, b'x')",
    "fromfd of an inherited socket": "import socket; socket.fromfd(INHERITED, 2, 1).send(b'x')",
    "sendfile to a socket": """
        import os, socket
        s = socket.socket(); s.connect_ex(("127.0.0.1", PORT))
        os.sendfile(s.fileno(), os.open(HERE + "/kept", os.O_RDONLY), 0, 4)
    """,
    "syslog": "import syslog; syslog.syslog('x')",
    "libc connect": NATIVE_CONNECT + "    ctypes.CDLL(None).connect(s.fileno(), address, 16)",
    "syscall connect": NATIVE_CONNECT + "    ctypes.CDLL(None).syscall(NR['connect'], s.fileno(), address, 16)",
    "libc sendto by _ctypes": NATIVE_CONNECT.replace("PORT", "UDP").replace("socket.socket()", "socket.socket(type=2)")
    + "    import _ctypes; _ctypes.call_function(_ctypes.dlsym(_ctypes.dlopen(None, 1), 'sendto'),"
    " (s.fileno(), b'x', 1, 0, address, 16))",
    # processes
    "os.system": "import os; os.system(f'touch {HERE}/made')",
    "os.popen": "import os; os.popen(f'touch {HERE}/made').close()",
    "subprocess.run": "import subprocess; subprocess.run(['touch', HERE + '/made'])",
    "subprocess, reloaded": """
        import importlib, subprocess
        importlib.reload(subprocess).run(["touch", HERE + "/made"])
    """,
    "_posixsubprocess": """
        import _posixsubprocess, os
        read, write = os.pipe()
        _posixsubprocess.fork_exec([b"touch", os.fsencode(HERE + "/made")], (b"/bin/touch",), True, (),
            None, None, -1, -1, -1, -1, -1, -1, read, write, False, False, -1, None, None, None, -1, None, False)
        os.close(write); os.read(read, 9)
    """,
    "posix_spawn": "import os; os.waitpid(os.posix_spawn('/bin/touch', ['touch', HERE + '/made'], {}), 0)",
    "fork and exec": """
        import os
        pid = os.fork()
        if not pid:
            os.execv("/bin/touch", ["touch", HERE + "/made"])
        os.waitpid(pid, 0)
    """,
    "execv": "import os; os.execv('/bin/touch', ['touch', HERE + '/made'])",
    "spawnv": "import os; os.spawnv(os.P_WAIT, '/bin/touch', ['touch', HERE + '/made'])",
    "multiprocessing, fork": """
        import multiprocessing, os
        p = multiprocessing.get_context("fork").Process(target=os.mkdir, args=(HERE + "/made",)); p.start(); p.join()
    """,
    "multiprocessing, spawn": """
        import multiprocessing, os
        p = multiprocessing.get_context("spawn").Process(target=os.mkdir, args=(HERE + "/made",)); p.start(); p.join()
    """,
    "pty.spawn": "import pty; pty.spawn(['touch', HERE + '/made'])",
    "libc system": "import ctypes; ctypes.CDLL(None).system(f'touch {HERE}/made'.encode())",
    "syscall execve": """
        import ctypes
        argv = (ctypes.c_char_p * 3)(b"touch", (HERE + "/made").encode(), None)
        ctypes.CDLL(None).syscall(NR["execve"], b"/bin/touch", argv, None)
    """,
    "sub-interpreter": """
        import _xxsubinterpreters as i
        i.run_string(i.create(), f"import os; os.mkdir('{HERE}/made')")
    """,
    "kill": "import os; os.kill(VICTIM, 9)",
    "pidfd_send_signal": "import os, signal; signal.pidfd_send_signal(os.pidfd_open(VICTIM), 9)",
    "libc kill": "import ctypes; ctypes.CDLL(None).kill(VICTIM, 9)",
    "syscall kill": "import ctypes; ctypes.CDLL(None).syscall(NR['kill'], VICTIM, 9)",
    "ptrace": "import ctypes; ctypes.CDLL(None).syscall(NR['ptrace'], 16, VICTIM, 0, 0)",
    # files
    "write to a directory": "open(HERE + '/made', 'w').write('x')",
    "write to the home directory": "open(HOME + '/.profile', 'a').write('x')",
    "os.open and os.write": "import os; os.write(os.open(HERE + '/kept', os.O_WRONLY), b'xxxx')",
    "remove": "import os; os.remove(HERE + '/kept')",
    "rmtree": "import shutil; shutil.rmtree(HERE)",
    "rename": "import os; os.rename(HERE + '/kept', HERE + '/made')",
    "truncate": "import os; os.truncate(HERE + '/kept', 0)",
    "chmod": "import os; os.chmod(HERE + '/kept', 0)",
    "chmod by descriptor": "import posix; posix.fchmod(posix.open(HERE + '/kept', 0), 0)",
    "utime by descriptor": "import os; os.utime(os.open(HERE + '/kept', os.O_RDONLY), (1, 1))",
    "a link out of the scratch directory": """
        import os, tempfile
        link = os.path.join(tempfile.gettempdir(), "link")
        os.symlink(HERE, link)
        open(link + "/made", "w").write("x")
    """,
    "a hard link into the scratch directory": """
        import os, tempfile
        link = os.path.join(tempfile.gettempdir(), "link")
        os.link(HERE + "/kept", link)
        open(link, "w").write("x")
    """,
    "a path with dots": """
        import os, tempfile
        open(os.path.join(tempfile.gettempdir(), os.path.relpath(HERE, tempfile.gettempdir()), "made"), "w")
    """,
    "below a descriptor": "import posix; posix.mkdir('made', dir_fd=posix.open(HERE, 0))",
    "mmap": """
        import mmap, os
        m = mmap.mmap(os.open(HERE + "/kept", os.O_RDWR), 4); m[:] = b"xxxx"; m.flush()
    """,
    "sqlite3": "import sqlite3; sqlite3.connect(HERE + '/made').execute('create table t (a)')",
    "sqlite3 attach": """
        import sqlite3
        c = sqlite3.connect(":memory:"); c.execute(f"attach '{HERE}/made' as m"); c.execute("create table m.t (a)")
    """,
    "fifo": "import os; os.mkfifo(HERE + '/made')",
    "unix socket file": "import socket; socket.socket(1).bind(HERE + '/made')",
    "log file": "import logging; logging.basicConfig(filename=HERE + '/made'); logging.error('x')",
    "/proc/self/mem": "open('/proc/self/mem', 'r+b').close()",
    "libc open and write": """
        import ctypes
        l = ctypes.CDLL(None); l.write(l.open((HERE + "/kept").encode(), 1), b"xxxx", 4)
    """,
    "libc rename": "import ctypes; ctypes.CDLL(None).rename((HERE + '/kept').encode(), (HERE + '/made').encode())",
    "syscall openat": """
        import ctypes
        ctypes.CDLL(None).syscall(NR["openat"], -100, (HERE + "/made").encode(), 0o101, 0o600)
    """,
    "machine code": """
        import ctypes, mmap
        m = mmap.mmap(-1, 4096, prot=7)
        m.write(MKDIR)
        ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_char_p, ctypes.c_long)(
            ctypes.addressof(ctypes.c_char.from_buffer(m)))((HERE + "/made").encode(), 0o700)
    """,
    # ways around the hooks
    "our originals": """
        from replay.boundary import originals
        originals.os_open(HERE + "/made", 0o101)
    """,
    "gc finds the sandbox": """
        import gc, posix
        for o in gc.get_objects():
            if type(o).__name__ == "Sandbox":
                o._rules.clear(); o._refuse = print
        posix.mkdir(HERE + "/made")
    """,
    "reload(os)": "import importlib, os; importlib.reload(os).mkdir(HERE + '/made')",
    "reload(socket)": "import importlib, socket; importlib.reload(socket).create_connection(('127.0.0.1', PORT))",
    "posix": "import posix; posix.mkdir(HERE + '/made')",
    "pythonapi": """
        import ctypes
        code = f"import posix\\ntry: posix.mkdir('{HERE}/made')\\nexcept OSError: pass"
        code = f"import posix\\ntry: posix.mkdir('{HERE}/made')\\nexcept OSError: pass"
        ctypes.pythonapi.PyRun_SimpleString(code.encode())
    """,
    "eval in another module": """
        import types
        exec("import posix; posix.mkdir(HERE + '/made')", {**vars(types.ModuleType("m")), "HERE": HERE})
    """,
    # other moments
    "atexit": "import atexit, posix; atexit.register(lambda: posix.mkdir(HERE + '/made'))",
    "__del__ at exit": """
        import posix
        class Late:
            def __del__(self, mkdir=posix.mkdir, path=HERE + "/made"):
                mkdir(path)
        global late
        late = Late()
    """,
    "a thread that outlives the program": """
        import posix, threading
        main = threading.main_thread()
        def wait():
            main.join(); posix.mkdir(HERE + "/made")
        threading.Thread(target=wait).start()
    """,
    "a signal handler": """
        import posix, signal
        signal.signal(signal.SIGUSR1, lambda *_: posix.mkdir(HERE + "/made")); signal.raise_signal(signal.SIGUSR1)
    """,
    "a weak reference's callback": """
        import posix, weakref
        class A: pass
        a = A(); r = weakref.ref(a, lambda _: posix.mkdir(HERE + "/made")); del a
    """,
}
NEEDS_KERNEL = {
    "syscall connect", "syscall execve", "syscall kill", "ptrace", "sqlite3 attach", "syscall openat", "machine code",
    "gc finds the sandbox",
}  # fmt: skip
"""Native code, or code that takes the hook apart: nothing in Python sees it."""
NUMBERS = {
    "x86_64": {"connect": 42, "execve": 59, "kill": 62, "ptrace": 101, "openat": 257},
    "aarch64": {"connect": 203, "execve": 221, "kill": 129, "ptrace": 117, "openat": 56},
}
MKDIR = {
    "x86_64": bytes.fromhex("b8530000000f05c3"),  # mov eax, 83; syscall; ret
    "aarch64": bytes.fromhex("e20301aae10300aa600c8092480480d2010000d4c0035fd6"),  # mkdirat(AT_FDCWD, path, mode)
}
MACHINE = platform.machine()


@dataclass
class World:
    """What a hostile program could reach."""

    here: Path
    home: Path
    tcp: socket.socket
    udp: socket.socket
    unix: socket.socket
    outside: socket.socket
    inherited: socket.socket
    victim: subprocess.Popen[bytes]
    before: State

    def arguments(self) -> list[str]:
        ports = (str(each.getsockname()[1]) for each in (self.tcp, self.udp))
        numbers = (str(self.victim.pid), str(self.inherited.fileno()))
        return [str(self.here), str(self.home), *ports, str(self.unix.getsockname()), *numbers]

    def touched(self) -> list[str]:
        """What has changed."""
        sockets = {"tcp": self.tcp, "udp": self.udp, "unix": self.unix, "inherited": self.outside}
        ready, _, _ = select.select(list(sockets.values()), [], [], 0)
        found = [name for name, each in sockets.items() if each in ready]
        if snapshot(self.here, self.home) != self.before:
            found.append("files")
        if self.victim.poll() is not None:
            found.append("process")
        return found


@pytest.fixture
def world(tmp_path: Path) -> Generator[World]:
    here, home = tmp_path / "here", tmp_path / "home"
    here.mkdir()
    home.mkdir()
    (here / "kept").write_text("kept")
    (home / ".profile").write_text("kept")
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    unix.bind(str(tmp_path / "unix"))
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    outside, inherited = socket.socketpair()
    os.set_inheritable(inherited.fileno(), True)
    waits = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp, udp, unix, outside, inherited,
        subprocess.Popen(waits, stdin=subprocess.PIPE) as victim,
    ):  # fmt: skip
        yield World(here, home, tcp, udp, unix, outside, inherited, victim, snapshot(here, home))
        assert victim.stdin is not None
        victim.stdin.close()


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cassette of the program without an attack."""
    directory = tmp_path_factory.mktemp("harmless")
    words = [str(directory), "home", "1", "2", "unix", "3", "4"]
    found = record(write(directory / "p.py", HEAD), directory / "x.cassette", arguments=words, cwd=directory)
    assert found.stdout == b"done\n", found.stderr.decode()
    return found.path


Attack = Callable[..., Run]


@pytest.fixture
def attack(harmless: Path, world: World, tmp_path: Path) -> Attack:
    def attack(code: str, **more: Any) -> Run:
        known = f"NR, MKDIR = {NUMBERS[MACHINE]!r}, {MKDIR[MACHINE]!r}\n"
        body = textwrap.indent(textwrap.dedent(code).strip(), "    ")
        source = HEAD.replace("# the attack", known + f"def attack():\n{body}\n")
        program = write(tmp_path / "hostile.py", source)
        command = [sys.executable, str(program), *world.arguments()]
        return replay.run(harmless, command=command, cwd=str(tmp_path), **more)

    return attack


def outcome(run: Run) -> str:
    if run.escapes:
        return "refused and reported"
    if run.divergence is not None:
        return "diverged"
    return "contained" if run.identical else "ended"


@pytest.mark.skipif(MACHINE not in NUMBERS, reason="the numbers of the kernel's calls are known for two machines")
@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_gets_out(
    name: str, attack: Attack, world: World, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    run = attack(ATTACKS[name])
    escape = run.escapes[0] if run.escapes else None
    row = {"attempt": name, "outcome": outcome(run), "as": "" if escape is None else escape.what, "touched": ""}
    row["touched"] = ", ".join(world.touched()) or "nothing"
    record_property("table: hostile programs", row)
    assert world.touched() == []
    if "seccomp" not in run.walls and name in NEEDS_KERNEL:
        pytest.fail(f"no kernel wall here: {run.walls}")
    if "inherited" in name:
        return  # there is no such descriptor in a replay
    assert not run.identical, run
    assert run.escapes or run.divergence
    if escape is not None and name != "sub-interpreter":
        assert escape.site is not None
        assert escape.site.startswith((str(tmp_path / "hostile.py"), "<string>")), escape


WITHOUT_KERNEL = [
    "_socket",
    "_posixsubprocess",
    "posix",
    "chmod by descriptor",
    "sub-interpreter",
]


@pytest.mark.parametrize("name", WITHOUT_KERNEL)
def test_the_first_wall_alone(name: str, attack: Attack, world: World) -> None:
    """Where the kernel has no walls, what Python hears about is refused all the same."""
    run = attack(ATTACKS[name], allow=["process:none"])
    assert run.walls == ("audit",)
    assert world.touched() == []
    assert run.escapes


def test_both_stand_on_linux(attack: Attack) -> None:
    run = attack("pass")
    assert run.identical
    assert run.walls[-1] == "audit"
    assert run.to_json()["walls"] == list(run.walls)


def test_it_is_reported_before_the_program_kills_itself(attack: Attack, world: World) -> None:
    run = attack("import posix, signal\ntry: posix.mkdir(HERE + '/made')\nfinally: signal.raise_signal(signal.SIGKILL)")
    assert [escape.what for escape in run.escapes] == ["file change"]
    assert not run.identical
    assert world.touched() == []


def test_native_code_in_a_thread_is_told_with_its_line(attack: Attack, world: World, tmp_path: Path) -> None:
    """The thread that asks the kernel isn't the one that the interpreter would ask."""
    run = attack(f"""
        import ctypes, threading
        def native(): ctypes.CDLL(None).syscall(NR["openat"], -100, (HERE + "/made").encode(), 0o101, 0o600)
        t = threading.Thread(target=native); t.start(); t.join()
    """)  # fmt: skip # noqa: F541
    assert world.touched() == []
    assert [(escape.what, escape.detail) for escape in run.escapes] == [("file write", f"openat {world.here}/made")]
    source = (tmp_path / "hostile.py").read_text().splitlines()
    line = next(number for number, text in enumerate(source, 1) if "def native" in text)
    assert run.escapes[0].site == f"{tmp_path}/hostile.py:{line}"


def test_standard_input_that_is_a_connection_is_not_inherited(harmless: Path, tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", HEAD.replace("    pass", "    import os; os.write(0, b'x')", 1))
    outside, inside = socket.socketpair()
    with outside, inside:
        code = f"import replay; replay.run({str(harmless)!r}, command={[sys.executable, str(program), *'1234567']!r})"
        subprocess.run([sys.executable, "-c", code], stdin=inside.fileno(), check=True)
        assert select.select([outside], [], [], 0)[0] == []


CONNECT = "import _socket; _socket.socket(2, 1).connect(('127.0.0.1', PORT))"
SPAWN = "import posix; posix.waitpid(posix.posix_spawn('/bin/touch', ['touch', HERE + '/made'], {}), 0)"
LOOK_UP = "import _socket; _socket.socket(2, 1).connect(_socket.getaddrinfo('localhost', PORT, 2)[0][4])"
SEND = "import _socket; _socket.socket(2, 2).sendto(b'x', ('127.0.0.1', UDP))"
# What goes past the seams; what goes through one is recorded, and at replay a divergence.
HOLES: dict[str, tuple[str, str, list[str]]] = {
    "an address": (CONNECT, "connect:127.0.0.1:{port}", ["tcp"]),
    "a name": (LOOK_UP, "connect:localhost", ["tcp"]),
    "any port": (CONNECT, "connect:127.0.0.1", ["tcp"]),
    "a datagram": (SEND, "connect:*:{udp}", ["udp"]),
    "a unix socket": ("import _socket; _socket.socket(1, 2).sendto(b'x', UNIX)", "connect:{unix}", ["unix"]),
    "native code": (NATIVE_CONNECT + "    ctypes.CDLL(None).syscall(NR['connect'], s.fileno(), address, 16)",
                    "connect:127.0.0.1", ["tcp"]),
    "a program": (SPAWN, "process:touch", ["files"]),
    "a shell": ("import posix; posix.system(f'touch {HERE}/made')", "process:sh", ["files"]),
    "a directory": ("import posix; posix.mkdir(HERE + '/made')", "write:{here}", ["files"]),
    "a file": ("import posix; posix.truncate(HERE + '/kept', 0)", "write:{here}/kept", ["files"]),
    "a signal": ("import posix; posix.kill(VICTIM, 9)", "signal:{victim}", ["process"]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOLES)
def test_a_hole_lets_one_thing_out_and_tells(name: str, attack: Attack, world: World, tmp_path: Path) -> None:
    code, hole, touched = HOLES[name]
    port, udp = (each.getsockname()[1] for each in (world.tcp, world.udp))
    unix = world.unix.getsockname()
    hole = hole.format(port=port, udp=udp, unix=unix, here=world.here, victim=world.victim.pid)
    run = attack(code, allow=[hole])
    if touched == ["process"]:
        world.victim.wait(10)
    assert world.touched() == touched
    assert run.escapes == ()
    assert {use.hole for use in run.holes} == {hole}
    assert (run.holes[0].site or "").startswith(str(tmp_path / "hostile.py"))
    assert run.to_json()["holes"][0]["hole"] == hole


NEAR_MISSES = [
    (CONNECT, "connect:127.0.0.1:1"),
    (CONNECT, "connect:127.0.0.2"),
    ("import _socket; _socket.getaddrinfo('localhost', 80)", "connect:127.0.0.1"),
    (SPAWN, "process:git"),
    ("import posix; posix.mkdir(HERE + '/made')", "write:{here}/mad"),
    ("import posix; posix.mkdir(HERE + '/made')", "connect:*"),
    ("import posix; posix.kill(VICTIM, 9)", "signal:1"),
    ("import ctypes; ctypes.CDLL(None).kill(VICTIM, 9)", "native:kill"),
]


@pytest.mark.parametrize(("code", "hole"), NEAR_MISSES)
def test_a_hole_lets_nothing_else_out(code: str, hole: str, attack: Attack, world: World) -> None:
    run = attack(code, allow=[hole.format(here=world.here)])
    assert world.touched() == []
    assert run.escapes
    assert not run.identical


def test_on_the_command_line(harmless: Path, world: World, tmp_path: Path) -> None:
    program = write(tmp_path / "p.py", HEAD.replace("    pass", "    import posix; posix.mkdir(HERE + '/made')", 1))
    words = ["--", sys.executable, str(program), *world.arguments()]
    done = cli("run", harmless, "--allow", f"write:{world.here}", *words)
    assert done.returncode == 0, shown(done)
    said = done.stdout.decode()
    assert "identical: 1 event; only what was allowed left the sandbox\n" in said
    assert f"let out by --allow write:{world.here}: file change at {program}:5: os.mkdir" in said
    document = cli_json("run", harmless, "--allow", "connect:*", *words, code=1)
    assert [escape["what"] for escape in document["escapes"]] == ["file change"]
    assert document["holes"] == []


@pytest.mark.parametrize("hole", ["", "connect", "connect:", "read:/etc", "signal:me", "/tmp"])
def test_what_is_no_hole(hole: str, harmless: Path) -> None:
    done = cli("run", harmless, "--allow", hole)
    assert done.returncode == 129, shown(done)
    assert b"[usage]" in done.stderr
