"""The real `replay` in a process of its own: exit codes, streams, and how quickly it starts."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from replay_cli import exits, main, options
from replay_cli.commands import bisect
from replay_cli.lazy import Commands

REPLAY = Path(sys.executable).with_name("replay")


def replay(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key not in {"REPLAY_DIR", "FORCE_COLOR", "COLUMNS"}}
    return subprocess.run([REPLAY, *args], capture_output=True, text=True, cwd=cwd, env=env, check=False)


def test_version() -> None:
    done = replay("--version")
    assert (done.returncode, done.stderr) == (exits.SAME, "")
    assert done.stdout.startswith("replay 0.")


def test_help_names_every_command_and_imports_none() -> None:
    code = (
        "import sys; from replay_cli import main; code = main.run(['--help']);"
        "print([name for name in sys.modules if name.split('.')[0] in ('rich', 'openai', 'msgpack', 'deepdiff')"
        " or name.startswith('replay_cli.commands.')]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == exits.SAME
    assert done.stdout.splitlines()[-1] == "[]"
    for name, what in main.COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert " ".join(what.split()[:5]) in " ".join(done.stdout.split())


@pytest.mark.parametrize("name", main.COMMANDS)
def test_the_table_says_what_the_command_says(name: str) -> None:
    command = importlib.import_module(f"replay_cli.commands.{name.replace('-', '_')}").command
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help is not None
    assert " ".join(command.help.split("\n\n")[0].split()) == main.COMMANDS[name]


def test_every_command_file_is_in_the_table() -> None:
    here = Path(main.__file__).with_name("commands")
    files = {file.stem for file in here.glob("[a-z]*") if file.suffix == ".py" or (file / "__init__.py").exists()}
    assert files == {name.replace("-", "_") for name in main.COMMANDS}


@pytest.mark.parametrize("name", bisect.MEMBERS)
def test_the_table_of_a_group_says_what_its_commands_say(name: str) -> None:
    command = importlib.import_module(f"replay_cli.commands.bisect.{name}").command
    assert command.name == name
    assert " ".join(command.help.split("\n\n")[0].split()) == bisect.MEMBERS[name]


@pytest.mark.parametrize(
    "args", [(), ("nonsense",), ("--nonsense",), ("show",), ("show", "x", "-1"), ("show", "x", "y"), ("-v", "-q", "ls")]
)
def test_wrong_usage_is_129(args: tuple[str, ...]) -> None:
    done = replay(*args)
    assert done.returncode == exits.USAGE
    assert done.stdout == ""
    assert "Usage: replay" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("word", "meant"), [("recrod", "Did you mean 'record'?"), ("verfiy", "'verify'?"), ("x", "")])
def test_a_command_with_a_slip_is_recognised(word: str, meant: str) -> None:
    said = replay(word).stderr
    assert f"No such command {word!r}." in said
    assert meant in said
    assert ("Did you mean" in said) is bool(meant)


@pytest.mark.parametrize("command", ["record", "run", "doctor"])
def test_examples_in_help_keep_their_lines(command: str) -> None:
    said = replay(command, "--help").stdout
    assert "\b" not in said
    examples = [line.split() for line in said.splitlines() if line.strip().startswith(f"replay {command}")]
    assert examples
    assert all(words.count("replay") == 1 for words in examples)


@pytest.mark.parametrize("word", ["agent.py", "./agent.py"])
def test_a_script_given_as_a_command_is_recognised(tmp_path: Path, word: str) -> None:
    (tmp_path / "agent.py").write_text("print(1)\n")
    (tmp_path / "agent.py").chmod(0o755)
    done = replay("record", "-o", "a.cassette", "--", word, cwd=tmp_path)
    assert done.returncode == exits.CANNOT_JUDGE
    assert f"did you mean python {word}?" in done.stderr
    assert not (tmp_path / "a.cassette").exists()


def test_a_users_mistake_is_one_line(tmp_path: Path) -> None:
    done = replay("show", "nowhere\x1b[2J.cassette", cwd=tmp_path)
    assert done.returncode == exits.CANNOT_JUDGE
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("replay: ")
    assert done.stderr.endswith("[cassette-missing]\n")
    assert "\x1b" not in done.stderr


def test_verbose_shows_where(tmp_path: Path) -> None:
    done = replay("-v", "show", "nowhere.cassette", cwd=tmp_path)
    assert done.returncode == exits.CANNOT_JUDGE
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("[cassette-missing]\n")


@click.command()
@options.common
def broken() -> None:
    raise ZeroDivisionError("one\ntwo")


@click.command()
@options.common
def unreadable() -> None:
    Path("/nonexistent/file").read_bytes()


@click.command()
@options.common
def interrupted() -> None:
    raise KeyboardInterrupt


@click.command()
def refused() -> None:
    raise click.FileError("f", hint="no")


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that fail in each way, beside the real ones."""
    here = {command.name: command for command in (broken, unreadable, interrupted, refused)}
    real = Commands.get_command

    def found(self: Commands, ctx: click.Context, name: str) -> click.Command | None:
        return here.get(name) or real(self, ctx, name)

    monkeypatch.setattr(Commands, "get_command", found)


@pytest.mark.usefixtures("extra")
def test_a_bug_of_ours_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["broken"]) == exits.CANNOT_JUDGE
    said = capsys.readouterr().err
    assert said == "replay: internal error: ZeroDivisionError: one\\ntwo (a bug of ours; --verbose shows where)\n"
    assert main.run(["broken", "--verbose"]) == exits.CANNOT_JUDGE
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.usefixtures("extra")
def test_other_failures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["unreadable"]) == exits.CANNOT_JUDGE
    assert "No such file" in capsys.readouterr().err
    assert main.run(["interrupted"]) == exits.INTERRUPTED
    assert capsys.readouterr().err.endswith("replay: interrupted\n")
    assert main.run(["refused"]) == exits.CANNOT_JUDGE
    assert capsys.readouterr().err == "replay: Could not open file 'f': no\n"


def test_the_reader_may_go_away(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run([REPLAY, "ls", "--json"], stdout=gone, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (exits.PIPE_CLOSED, b"")


def test_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "replay_cli", "--version"], capture_output=True, check=False)
    assert done.returncode == exits.SAME


def test_import_replay_stays_cheap() -> None:
    """No third-party module at all: whoever decorates a function pays for nothing else."""
    code = (
        "import sys; before = set(sys.modules); import replay;"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names - {'replay'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
