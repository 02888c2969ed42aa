"""The support desk of docs/incident.md, with the shop, the web and the model that it talks to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from tests.support.e2e import cli, shown

PROGRAM = Path(__file__).parents[2] / "fixtures" / "incident"


@contextmanager
def desk(directory: Path, tickets: Iterable[str] = ()) -> Generator[tuple[Path, dict[str, str]]]:
    """A copy of the program below `directory`, and the environment to run it in; these tickets are recorded there."""
    here = directory / "desk"
    shutil.copytree(PROGRAM, here, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-u", "world.py", "0"]
    with subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        env = {name: value for name, value in os.environ.items() if not name.startswith(("REPLAY", "PYTHONHASH"))}
        env |= {"DESK_URL": f"http://127.0.0.1:{port}", "NO_PROXY": "127.0.0.1"}
        env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
        try:
            for ticket in tickets:
                words = ["record", "-o", f"{ticket}.cassette", "--", sys.executable, "desk.py", f"tickets/{ticket}.txt"]
                done = cli(*words, cwd=here, env=env)
                assert done.returncode == 0, shown(done)
            yield here, env
        finally:
            server.terminate()
