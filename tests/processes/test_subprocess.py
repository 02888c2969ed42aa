"""Child processes, synchronously: what they said, in which pieces and order, without starting them at replay."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.support.programs import record, replays

PREFIX = """
import os, random, signal, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
def child(code, *args):
    return [sys.executable, "-I", "-c", code, *map(str, args)]
CHATTY = '''
import os, random, sys, time
for i in range(int(sys.argv[1])):
    time.sleep(random.random() / 200)
    os.write(1 + random.randrange(2), b"%d:%d " % (i, random.randrange(1000)))
sys.exit(random.randrange(4))
'''
ECHO = "import sys,random\\nfor line in sys.stdin: print(line.strip()[::-1], random.random(), flush=True)"
"""

PROGRAMS = {
    "run": """
        for text in (False, True):
            done = subprocess.run(child(CHATTY, 6), capture_output=True, text=text)
            print(done.returncode, done.stdout, done.stderr)
        print(subprocess.run(child(CHATTY, 5), stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout)
        print(subprocess.run(child(ECHO), input="one\\ntwo\\n", capture_output=True, text=True, check=True).stdout)
        print(subprocess.run("echo $THIS $$; exit 3", shell=True, env={**os.environ, "THIS": "that"}, cwd="/",
                             capture_output=True))
        print(subprocess.getoutput("echo $RANDOM $$ $(date +%N)"))
        print(subprocess.call(child("import random,sys; sys.exit(random.randrange(9))")))
        try:
            subprocess.check_output(child("import os; print(os.getpid()); raise SystemExit(4)"))
        except subprocess.CalledProcessError as error:
            print(error, error.output)
        try:
            subprocess.run(["/no/such/program"])
        except FileNotFoundError as error:
            print(error, error.filename)
    """,
    "a conversation over pipes": """
        with subprocess.Popen(child(ECHO), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as talk:
            for word in ("first", "second", "third"):
                talk.stdin.write(word + "\\n")
                talk.stdin.flush()
                print(talk.stdout.readline(), end="")
            print(talk.poll(), talk.pid)
            talk.stdin.close()
            print(talk.stdout.read(), talk.wait())
        raw = subprocess.Popen(child(CHATTY, 8), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        while piece := raw.stdout.read(100):
            print(piece)
        print(raw.stderr.read(), raw.wait(timeout=60), raw)
        dice = child("import random\\nfor _ in range(5): print(random.random())")
        lines = subprocess.Popen(dice, stdout=subprocess.PIPE)
        for line in lines.stdout:
            print(line)
        print(lines.wait())
        with os.popen("echo $$; exit 2") as pipe:
            print(pipe.read())
        print(pipe.close())
    """,
    "timeouts and signals": """
        slow = child("import os,time; os.write(1, b'begun %d' % os.getpid()); time.sleep(60)")
        try:
            subprocess.run(slow, capture_output=True, timeout=0.3)
        except subprocess.TimeoutExpired as error:
            print(error.timeout, error.cmd[-1][:9], error.output)
        for end in ("terminate", "kill"):
            late = subprocess.Popen(slow, stdout=subprocess.PIPE)
            print(late.stdout.read(5), late.poll())
            try:
                late.wait(timeout=0.01)
            except subprocess.TimeoutExpired as error:
                print(error)
            getattr(late, end)()
            print(late.communicate(), late.returncode)
        late = subprocess.Popen(slow, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        late.stdout.read(5)
        os.kill(late.pid, signal.SIGINT)
        print(late.wait() != 0)
        late.stdout.close()
        gone = subprocess.Popen(["true"], stdin=subprocess.PIPE)
        gone.wait()
        try:
            gone.stdin.write(b"hello?"); gone.stdin.flush()
        except BrokenPipeError as error:
            print(error)
    """,
    "threads": """
        log = []
        lock = threading.Lock()
        def work(n):
            for i in range(2):
                done = subprocess.run(child(CHATTY, 3, n), capture_output=True)
                with lock:
                    log.append((n, i, done.returncode, done.stdout))
            return n
        with ThreadPoolExecutor(8) as pool:
            print(list(pool.map(work, range(8))))
        print(log)
        both = subprocess.Popen(child(CHATTY, 12), stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        def drain(name):
            while piece := getattr(both, name).read(64):
                with lock:
                    print(name, piece)
        readers = [threading.Thread(target=drain, args=(name,)) for name in ("stdout", "stderr")]
        for reader in readers: reader.start()
        for reader in readers: reader.join()
        print(both.wait())
    """,
    "beneath subprocess": """
        status = os.system("exit $(( $$ % 7 ))")
        print(os.waitstatus_to_exitcode(status), os.spawnlp(os.P_WAIT, "sh", "sh", "-c", "exit 5"))
        pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit $(( $$ % 9 ))"], {})
        print(pid, os.waitpid(pid, 0))
        pid = os.spawnvp(os.P_NOWAIT, "sh", ["sh", "-c", "sleep 60"])
        print(os.waitpid(pid, os.WNOHANG))
        os.kill(pid, signal.SIGKILL)
        print(os.wait4(pid, 0)[:2])
        try:
            os.waitpid(-1, 0)
        except ChildProcessError as error:
            print(error)
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_children_are_replayed(name: str, tmp_path: Path) -> None:
    replays(tmp_path, PREFIX + textwrap.dedent(PROGRAMS[name]), varies=True)


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        ('["echo", "one"]', '["echo", "two"]', "two"),
        ("cwd='/'", "cwd='/tmp'", "/tmp"),
        ('input=b"to sort"', 'input=b"to shuffle"', "shuffle"),
        ('b"written"', 'b"something else"', "something else"),
        ("talk.terminate()", "talk.kill()", "9"),
        ('"PLACE": "here"', '"PLACE": "there"', "there"),
    ],
)
def test_another_command_or_input_is_a_divergence(tmp_path: Path, then: str, now: str, said: str) -> None:
    source = """
    import subprocess
    subprocess.run(["echo", "one"], capture_output=True, cwd='/', env={"PLACE": "here"})
    subprocess.run(["cat"], input=b"to sort", capture_output=True)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as talk:
        talk.stdin.write(b"written")
        talk.stdin.flush()
        talk.terminate()
    """
    found = record(tmp_path, source)
    assert found.finished
    assert found.again().identical
    assert then in found.program.read_text()
    found.program.write_text(found.program.read_text().replace(then, now))
    again = found.again()
    assert again.divergence is not None
    assert said in f"{again.divergence.got}", again.divergence
    assert not again.escapes


def test_what_an_event_says(tmp_path: Path) -> None:
    found = record(
        tmp_path,
        """
        import os, subprocess
        env = {**os.environ, "API_KEY": "sk-123"}
        subprocess.run(["sh", "-c", "echo hello; exit 3"], env=env, stdout=subprocess.PIPE)
        """,
    )
    started, communicated, *_ = found.events("process")
    assert (started.name, started.effect) == ("sh", "write")
    assert started.request["args"] == ["sh", "-c", "echo hello; exit 3"]
    assert started.request["stdout"] == "pipe"
    assert list(started.request["env"]) == ["API_KEY"]
    assert communicated.response == ((b"hello\n", None), 3)
    spots = {spot.what: spot.detail for spot in found.cassette().blind_spots}
    assert spots["process output"] == "sh writes to its inherited stderr"
    assert spots.keys() == {"process output", "environment"}  # all of the environment was copied for it
    assert b"sk-123" not in Path(found.path).read_bytes()
