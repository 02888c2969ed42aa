"""Files: what was read comes back from the recording, what is written stays in the overlay, the disk is left alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import replay
from tests.support.e2e import cli, cli_json, shown, snapshot, write
from tests.support.e2e import record as e2e_record
from tests.support.programs import Recorded, explained, record

PROGRAMS = {
    "config": """
        import configparser, json, csv
        print(json.load(open("config.json")), [*csv.reader(open("table.csv", newline=""))])
        ini = configparser.ConfigParser(); print(ini.read(["there.ini", "missing.ini"]), dict(ini["a"]))
        with open("config.json", "rb") as file:
            print(file.read(3), file.tell(), file.seek(0, 2), file.read(), file.name, file.mode)
    """,
    "write and read back": """
        import pathlib
        notes = pathlib.Path("made.txt")
        print(notes.exists(), notes.write_text("one\\ntwo\\n"), notes.exists(), notes.read_text(), notes.stat().st_size)
        with notes.open("r+") as file:
            file.seek(4); file.write("TWO"); file.truncate(8); file.seek(0); print(file.read())
        with open(notes, "w+b", buffering=0) as raw:
            print(raw.write(b"raw"), raw.tell(), raw)
        print(notes.read_bytes())
    """,
    "modules it writes": """
        import importlib, logging, os, pathlib, pkgutil, runpy, sys, tempfile, traceback
        sys.path.insert(0, os.getcwd()); skills = pathlib.Path("skills"); skills.mkdir()
        (skills / "__init__.py").write_text("from . import one"); (skills / "one.py").write_text("NAME = 'one'")
        (skills / "prompt.txt").write_text("You are one")
        import skills as made; print(made.one.NAME, [found.name for found in pkgutil.iter_modules(["skills"])])
        print(pkgutil.get_data("skills", "prompt.txt"), runpy.run_path("skills/one.py")["NAME"])
        for number in range(3):
            pathlib.Path("plan.py").write_text(f"def run():\\n    return 'plan', {number}, 1 / 0")
            importlib.invalidate_caches()
            plan = importlib.reload(sys.modules["plan"]) if number else importlib.import_module("plan")
            try:
                plan.run()
            except ZeroDivisionError:
                print(plan.run.__code__.co_consts, traceback.format_exc().splitlines()[-3:])
        with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
            file.write("raise KeyError('generated')")
        spec = importlib.util.spec_from_file_location("made_up", file.name)
        try:
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        except KeyError:
            print(traceback.format_exc().splitlines()[-3:])
        os.unlink(file.name); os.unlink("skills/one.py"); del sys.modules["skills.one"]
        importlib.invalidate_caches()
        try:
            importlib.import_module("skills.one")
        except ImportError as error:
            print(error)
    """,
    "modules that threads write": """
        import importlib, pathlib, sys, os
        from concurrent.futures import ThreadPoolExecutor
        sys.path.insert(0, os.getcwd())
        def skill(number):
            pathlib.Path(f"skill{number}.py").write_text(f"import time; MADE = time.time(), {number}")
            importlib.invalidate_caches()
            return importlib.import_module(f"skill{number}").MADE
        with ThreadPoolExecutor(3) as pool:
            print([*pool.map(skill, range(9))])
    """,
    "databases that can't be opened": """
        import os, sqlite3
        for name in ("nowhere/x.db", "folder", "file:nowhere/x.db?mode=rwc", "file:absent.db?mode=rw"):
            try:
                sqlite3.connect(name, uri=name.startswith("file:"))
            except sqlite3.OperationalError as error:
                print(error)
        os.mkdir("nowhere")
        sqlite3.connect("nowhere/x.db").execute("create table a (b)")
        print(os.path.exists("nowhere/x.db"))
    """,
    "tracebacks": """
        import asyncio, json, logging, os, pathlib, sqlite3, subprocess, sys, threading, traceback
        from concurrent.futures import ThreadPoolExecutor
        logging.basicConfig(format="%(message)s", stream=sys.stdout)
        def tries(what):
            try:
                what()
            except Exception as error:
                logging.exception("failed", stack_info=True); print(traceback.format_tb(error.__traceback__))
        def chained():
            try:
                os.listdir("nowhere")
            except OSError as error:
                raise RuntimeError("chained") from error
        for what in (lambda: open("nowhere"), lambda: pathlib.Path("nowhere").read_text(), chained,
                     lambda: os.mkdir("folder"), lambda: sqlite3.connect("nowhere/x.db"),
                     lambda: ThreadPoolExecutor().submit(open, "nowhere").result(),
                     lambda: asyncio.run(asyncio.to_thread(open, "nowhere")), lambda: os.environ["NOWHERE"]):
            tries(what)
        thread = threading.Thread(target=open, args=("nowhere",)); thread.start(); thread.join()
    """,
    "owners": """
        import grp, os, pathlib, pwd, tarfile
        with tarfile.open("all.tar", "w") as tar:
            tar.add("folder")
        with tarfile.open("all.tar") as tar:
            print([(member.name, member.uname, member.gname) for member in tar]); tar.extractall("out")
        print(pathlib.Path("out").owner(), pathlib.Path("out").group(), os.path.expanduser("~root"), os.getgroups())
        print(pwd.getpwuid(os.getuid()).pw_dir, grp.getgrgid(0), len(pwd.getpwall()), type(grp.getgrall()[0]))
        try:
            pwd.getpwnam("nobody of that name")
        except KeyError as error:
            print(error)
    """,
    "append": """
        for number in range(3):
            with open("log.txt", "a") as log:
                print(log.tell(), file=log); print(log.tell())
        print(open("log.txt").read())
    """,
    "delete and rename": """
        import os, pathlib
        os.remove("table.csv"); print(os.path.exists("table.csv"), pathlib.Path("config.json").exists())
        os.rename("config.json", "moved.json"); print(os.listdir("."), open("moved.json").read())
        for wrong in (lambda: open("config.json"), lambda: os.rmdir("folder"), lambda: open("folder"),
                      lambda: os.mkdir("folder"), lambda: os.stat("nowhere"), lambda: open("moved.json", "x")):
            try:
                wrong()
            except OSError as error:
                print(type(error).__name__, error, error.filename)
    """,
    "listings": """
        import glob, os, pathlib
        print(os.listdir("folder"), [entry.name for entry in os.scandir("folder")])
        print([*os.walk(".")], glob.glob("**/*.txt", recursive=True), [*pathlib.Path("folder").iterdir()])
        with os.scandir(b"folder") as entries:
            for entry in entries:
                print(entry, entry.path, entry.is_dir(), entry.is_file(), entry.is_symlink(), entry.inode() > 0)
                print(entry.stat().st_mtime_ns, os.fspath(entry))
    """,
    "questions": """
        import os, pathlib
        at = pathlib.Path("config.json")
        print(os.path.getmtime(at), os.path.getsize(at), at.is_file(), at.is_dir(), at.is_symlink(), os.stat(at))
        print(os.access(at, os.R_OK), os.path.isfile(b"config.json"), os.path.samefile(at, "config.json"))
        os.symlink("config.json", "link"); print(os.readlink("link"), os.path.realpath("link"), at.resolve())
        with open(at) as file:
            print(os.fstat(file.fileno()).st_ino == os.stat(at).st_ino)
    """,
    "temporary": """
        import os, pathlib, tempfile
        print(tempfile.gettempdir(), tempfile.mkdtemp(), tempfile.mktemp())
        fd, name = tempfile.mkstemp(suffix=".x")
        with os.fdopen(fd, "w") as file:
            print(file.name == fd, file.write("text"))
        print(name, open(name).read(), os.unlink(name))
        with tempfile.NamedTemporaryFile("w+") as file:
            file.write("named"); file.flush(); print(file.name, open(file.name).read())
        with tempfile.TemporaryFile() as file:
            file.write(b"anonymous"); file.seek(0); print(file.read())
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "a", "b").mkdir(parents=True); pathlib.Path(folder, "a", "b", "c").touch()
            print([*os.walk(folder)])
        print(os.path.exists(folder))
    """,
    "trees": """
        import filecmp, os, shutil
        print(shutil.copytree("folder", "copy"), sorted(os.listdir("copy")), open("copy/a.txt").read())
        print(shutil.copy2("config.json", "copy/"), filecmp.cmp("config.json", "copy/config.json", shallow=False))
        print(shutil.move("copy/a.txt", "copy/z.txt"), shutil.make_archive("packed", "zip", "copy"))
        shutil.unpack_archive("packed.zip", "unpacked"); print([*os.walk("unpacked")])
        shutil.rmtree("copy"); print(os.path.isdir("copy"), os.path.isdir("folder"))
    """,
    "formats": """
        import bz2, gzip, io, lzma, mmap, pickle, shelve, zipfile
        for module in (bz2, gzip, lzma):
            with module.open("packed", "wt") as file: file.write("text " * 3)
            with module.open("packed", "rt") as file: print(file.read())
        with open("p.pickle", "wb") as file: pickle.dump({"a": 1}, file)
        print(pickle.load(open("p.pickle", "rb")))
        with zipfile.ZipFile("z.zip", "w") as z: z.write("config.json")
        print(zipfile.ZipFile("z.zip").read("config.json"))
        with open("config.json", "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            print(view[:4])
        print([line for line in io.open("lines.txt")], list(open("lines.txt", newline="")))
    """,
    "sqlite": """
        import sqlite3
        for _ in range(2):
            with sqlite3.connect("data.db") as db:
                db.execute("create table if not exists t (a)"); db.execute("insert into t select count(*) from t")
                print(db.execute("select * from t").fetchall(), db.total_changes)
            db.close()
        db = sqlite3.connect("file:data.db?mode=ro", uri=True)
        print(db.execute("select sum(a) from t").fetchone()); db.close()
    """,
    "logging": """
        import logging, logging.handlers
        logging.basicConfig(filename="app.log", level="INFO", format="%(created)f %(message)s")
        for number in range(5): logging.info("said %d", number)
        rotating = logging.handlers.RotatingFileHandler("turning.log", maxBytes=60, backupCount=2)
        logging.getLogger().addHandler(rotating)
        for number in range(5): logging.info("turned %d", number)
        print(len(open("app.log").readlines()))
    """,
    "threads": """
        import os, threading
        from concurrent.futures import ThreadPoolExecutor
        os.mkdir("parts")
        lock = threading.Lock()
        def work(number):
            path = f"parts/{number}.txt"
            with open(path, "w") as file:
                for line in range(3):
                    print(number, line, file=file)
            with lock, open("all.txt", "a") as together:
                together.write(open(path).read())
            return os.path.getsize(path)
        with ThreadPoolExecutor(4) as pool:
            print(list(pool.map(work, range(12))))
        print(open("all.txt").read(), sorted(os.listdir("parts")))
    """,
    "tasks": """
        import asyncio, pathlib, random
        async def work(number):
            await asyncio.sleep(random.random() / 50)
            await asyncio.to_thread(pathlib.Path(f"{number}.out").write_text, str(number))
            with open("all.txt", "a") as file: file.write(f"{number} ")
        async def main():
            await asyncio.gather(*map(work, range(8)))
            print(open("all.txt").read())
        asyncio.run(main())
    """,
    "working directory": """
        import os, pathlib, tempfile
        print(os.path.abspath("x"), pathlib.Path.cwd())
        os.chdir("folder"); print(os.getcwd(), os.listdir(), open("a.txt").read())
        os.chdir(tempfile.mkdtemp()); open("here", "w").write("here")
        print(os.getcwd(), open("here").read(), os.listdir())
        try:
            os.chdir("nowhere")
        except OSError as error:
            print(error)
    """,
    "descriptors": """
        import os
        fd = os.open("d.bin", os.O_RDWR | os.O_CREAT, 0o600)
        print(os.write(fd, b"abcdef"), os.lseek(fd, 2, 0), os.read(fd, 2), os.pwrite(fd, b"Z", 0), os.pread(fd, 9, 0))
        os.ftruncate(fd, 3); print(os.fstat(fd).st_size); os.close(fd)
        print(open("d.bin").read(), os.path.getsize("d.bin"))
        place = os.open("folder", os.O_RDONLY)
        inner = os.open("a.txt", os.O_RDONLY, dir_fd=place); print(os.read(inner, 9), os.listdir(place))
        os.mkdir("made", dir_fd=place); print(os.stat("made", dir_fd=place).st_nlink, os.path.isdir("folder/made"))
        os.truncate("config.json", 2); print(open("config.json").read())
    """,
    "devices": """
        import os, threading
        print(open("/dev/urandom", "rb").read(4), os.read(os.open("/dev/urandom", os.O_RDONLY), 4))
        print(open("/proc/uptime").read(), open("/proc/self/stat").read(), os.listdir("/proc/self/fd") != [])
        print(open(os.devnull).read(), open("/dev/null", "w").write("gone"))
        os.mkfifo("pipe")
        thread = threading.Thread(target=lambda: open("pipe", "w").write("through the pipe\\n")); thread.start()
        print(open("pipe").read()); thread.join()
    """,
    "locks": """
        import fcntl
        one, other = open("lock", "w"), open("lock", "a")
        fcntl.flock(one, fcntl.LOCK_EX)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            print(type(error).__name__, error)
        fcntl.flock(one, fcntl.LOCK_UN); fcntl.flock(other, fcntl.LOCK_SH); fcntl.lockf(one, fcntl.LOCK_EX, 5)
    """,
    "never closed": """
        kept = [open(f"{n}.txt", "w") for n in range(2)]
        kept[0].write("held back"); print(kept[1].write("x" * 9000), kept[0])
        cycle = open("cycle.txt", "w"); cycle.write("gone"); ring = [cycle]; ring.append(ring); del cycle, ring
        def inner():
            open("at once.txt", "w").write("closed by the end of its life")
        inner(); print(open("at once.txt").read())
    """,
    "grows while it is read": """
        reading = open("lines.txt")
        print(reading.read())
        with open("lines.txt", "a") as more: more.write("three\\n")
        print(repr(reading.read()), repr(reading.read()))
        tail = open("lines.txt"); print(tail.readlines(), tail.readline())
    """,
}


def world(directory: Path) -> Path:
    """A few files to work on."""
    made = directory / "world"
    (made / "folder" / "deep").mkdir(parents=True)
    (made / "config.json").write_text('{"a": 1, "b": [1, 2]}')
    (made / "there.ini").write_text("[a]\nb = c\n")
    (made / "table.csv").write_text("a,b\n1,2\n")
    (made / "lines.txt").write_bytes(b"one\r\ntwo\n")
    for name in ("a.txt", "b.txt", "deep/c.txt"):
        (made / "folder" / name).write_text(name)
    return made


def spoil(made: Path) -> None:
    """Another day: everything is otherwise."""
    shutil.rmtree(made)
    (made / "folder").mkdir(parents=True)
    (made / "config.json").write_text('{"a": "other"}')
    (made / "made.txt").write_text("was never there")
    (made / "folder" / "new.txt").write_text("new")


def recorded_in(made: Path, source: str) -> Recorded:
    """The program begins in that directory."""
    lines = source.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    body = "\n".join(line[indent:] for line in lines)
    return record(made.parent, f"import os; os.chdir({str(made)!r})\n{body}\n")


@pytest.mark.parametrize("what", PROGRAMS)
def test_replays_on_another_day(tmp_path: Path, what: str) -> None:
    made = world(tmp_path)
    found = recorded_in(made, PROGRAMS[what])
    assert found.exit_code == 0, found.stderr.decode()
    assert found.cassette().blind_spots == []
    spoil(made)
    before = snapshot(made)
    for _ in range(2):
        again = found.again()
        assert again.identical, explained(again)
        assert again.stdout == found.stdout, explained(again)
        assert again.escapes == ()
    assert snapshot(made) == before, "a replay touches nothing"


def test_tracebacks_are_the_unrecorded_ones(tmp_path: Path) -> None:
    made = world(tmp_path)
    source = """
        import os, pathlib, traceback
        read = pathlib.Path("nowhere").read_text
        for what in (lambda: open("nowhere"), lambda: read(), lambda: os.listdir("nowhere")):
            try:
                what()
            except OSError:
                traceback.print_exc()
    """
    found = recorded_in(made, source)
    plain = subprocess.run([sys.executable, found.program], capture_output=True, check=False, cwd=tmp_path, timeout=60)
    assert plain.stderr.decode() == found.stderr.decode()


def test_what_is_written_is_in_the_recording(tmp_path: Path) -> None:
    found = recorded_in(world(tmp_path), PROGRAMS["append"].rstrip() + PROGRAMS["write and read back"])
    written = [(event.request["path"], event.body) for event in found.events("file") if event.name == "write"]
    assert written == [
        ("log.txt", b"0\n"),
        ("log.txt", b"2\n"),
        ("log.txt", b"4\n"),
        ("made.txt", b"one\ntwo\n"),
        ("made.txt", b"TWO"),
        ("made.txt", b"raw"),
    ]
    assert {event.effect for event in found.events("file") if event.name == "write"} == {"write"}


@pytest.mark.parametrize(
    ("then", "now"),
    [
        ('open("out", "w").write("paid 10")', 'open("out", "w").write("paid 99")'),
        ('open("out", "w").write("x")', 'open("other", "w").write("x")'),
        ('open("lines.txt").read()', 'open("table.csv").read()'),
        ('os.listdir("folder")', 'os.listdir(".")'),
        ('os.remove("table.csv")', 'os.remove("config.json")'),
        ("None", 'open("lines.txt").read()'),
    ],
)
def test_another_access_diverges(tmp_path: Path, then: str, now: str) -> None:
    """Also where the file exists now: the recording says what comes next."""
    made = world(tmp_path)
    found = recorded_in(made, f"import os\n{then}\n")
    assert found.exit_code == 0, found.stderr.decode()
    found.program.write_text(found.program.read_text().replace(then, now))
    shutil.rmtree(made)
    before = snapshot(world(tmp_path))
    again = found.again()
    assert not again.identical
    assert again.divergence is not None
    assert again.divergence.event is not None or then == "None"
    assert snapshot(made) == before


def test_equal_contents_are_stored_once(tmp_path: Path) -> None:
    made = world(tmp_path)
    content = os.urandom(1_000_000)
    (made / "big.bin").write_bytes(content)
    shutil.copy(made / "big.bin", made / "same.bin")
    source = """
        for number in range(1000):
            assert len(open("same.bin" if number % 2 else "big.bin", "rb").read()) == 1_000_000
        open("own.bin", "wb").write(open("big.bin", "rb").read())
        print(open("own.bin", "rb").read() == open("big.bin", "rb").read())
    """
    found = recorded_in(made, source)
    assert found.exit_code == 0, found.stderr.decode()
    assert os.path.getsize(found.path) < 1_000_000 * 2.1  # once as read, once as written
    again = found.again()
    assert again.identical, explained(again)
    with found.cassette() as cassette:
        reads = [event for event in cassette.events if event.name == "open" and event.effect == "read"]
        assert len(reads) == 1003
        assert reads[0].content == reads[999].content == content


def test_a_history_that_grows_is_stored_as_what_is_new(tmp_path: Path) -> None:
    source = """
        import json, random
        notes = []
        for step in range(100):
            notes.append({"step": step, "text": random.randbytes(500).hex()})
            json.dump(notes, open("memory.json", "w"))
            notes = json.load(open("memory.json"))
        print(len(notes))
    """
    found = recorded_in(world(tmp_path), source)
    assert os.path.getsize(found.path) < 300_000, "not 5 MB"
    assert found.again().identical


def test_secrets_stay_out_and_the_replay_works(tmp_path: Path) -> None:
    made = world(tmp_path)
    secret, password = "sk-proj-0123456789abcdefghij", "correct horse battery"
    (made / ".env").write_text(f"OPENAI_API_KEY={secret}\nDB_PASSWORD='{password}'\nRETRIES=3\nMAX_TOKENS=1000\n")
    (made / "settings.json").write_text(json.dumps({"access_token": "a1b2c3d4e5f6a7b8c9d0", "max_tokens": 100}))
    source = """
        import json
        found = dict(line.strip().split("=", 1) for line in open(".env"))
        settings = json.load(open("settings.json"))
        open("copy.env", "w").write(open(".env").read())
        print(sorted(found), int(found["RETRIES"]), int(found["MAX_TOKENS"]), settings["max_tokens"])
        print(len(open("copy.env").read()), len(found["OPENAI_API_KEY"]))
    """
    found = recorded_in(made, source)
    assert found.exit_code == 0, found.stderr.decode()
    stored = Path(found.path).read_bytes() + b"".join(
        (event.content or b"") + (event.body or b"") for event in found.events("file")
    )
    for word in (secret, password, "a1b2c3d4e5f6a7b8c9d0"):
        assert word.encode() not in stored
    again = found.again()
    assert again.identical, explained(again)


def test_a_program_that_was_killed_has_what_it_read(tmp_path: Path) -> None:
    made = world(tmp_path)
    program = write(tmp_path / "p.py", "import os\nprint(open('config.json').read()); os.kill(os.getpid(), 9)\n")
    found = e2e_record(program, tmp_path / "x.cassette", cwd=made)
    assert found.exit_code == 137
    with replay.load(found.path) as cassette:
        (event,) = [event for event in cassette.events if event.name == "open"]
    assert event.content == b'{"a": 1, "b": [1, 2]}'


def test_shown_readably(tmp_path: Path) -> None:
    made = world(tmp_path)
    found = recorded_in(
        made, f"{PROGRAMS['append'].rstrip()}\n        print(open('config.json').read(), os.listdir('folder'))\n"
    )
    text = cli("show", found.path).stdout.decode()
    assert "open config.json (read) → 21 B, sha256 " in text, text
    assert "write log.txt (2 B, at its end)" in text, text
    assert "listdir folder → " in text, text
    document = cli_json("show", found.path)
    opened: dict[str, Any] = next(
        each for each in document["events"] if each["request"] == {"path": "config.json", "mode": "read"}
    )
    assert opened["response"]["content"] == {"a": 1, "b": [1, 2]}
    assert cli("verify", found.path).returncode == 0
    one = cli("show", found.path, str(opened["id"]))
    assert '"a": 1' in one.stdout.decode().replace("\\", ""), shown(one)


ANY_ORDER = """
    import os, pathlib, random, shutil
    chance = random.Random(SEED)
    names = ["a", "b", "d/a", "d/b", "d/e/a", "d", "d/e"]
    def keep(mode):
        def change(one, two):
            with open(one, mode) as file:
                return [file.tell(), file.write(f"{chance.random()} "), file.seek(0), "+" in mode and file.read()]
        return change
    def at(one, two):
        with open(one, "r+") as file:
            return [file.seek(chance.randrange(9)), file.write("mid"), file.truncate(chance.randrange(30))]
    acts = [keep(mode) for mode in ("w", "a", "w+", "a+", "x", "r+")] + [
        at, lambda one, two: open(one).read(), lambda one, two: os.remove(one), lambda one, two: os.rename(one, two),
        lambda one, two: os.replace(one, two), lambda one, two: os.mkdir(one), lambda one, two: os.rmdir(one),
        lambda one, two: os.listdir(one), lambda one, two: os.path.getsize(one), lambda one, two: os.path.exists(one),
        lambda one, two: shutil.copy(one, two), lambda one, two: os.link(one, two), lambda one, two: [*os.walk(".")],
        lambda one, two: os.truncate(one, 5), lambda one, two: os.makedirs(one, exist_ok=True),
        lambda one, two: pathlib.Path(one).touch(), lambda one, two: os.stat(one).st_mtime_ns,
    ]
    for step in range(400):
        act, one, two = chance.choice(acts), chance.choice(names), chance.choice(names)
        try:
            print(step, one, two, act(one, two))
        except OSError as error:
            print(step, one, two, type(error).__name__, error, error.filename, error.filename2)
"""


@pytest.mark.parametrize("seed", range(3))
def test_any_order_of_accesses(tmp_path: Path, seed: int) -> None:
    """The disk is the model: what it answered to 400 random accesses, the overlay's replay answers too."""
    made = world(tmp_path)
    found = recorded_in(made, ANY_ORDER.replace("SEED", str(seed)))
    assert found.exit_code == 0, found.stderr.decode()
    spoil(made)
    before = snapshot(made)
    again = found.again()
    assert again.identical, explained(again)
    assert again.stdout == found.stdout
    assert snapshot(made) == before
