"""Workers of task queues: each task is a cassette of its own, which replays without queue and broker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import replay
from replay.demo.server import spawn
from tests.support.e2e import write

NOWHERE = subprocess.DEVNULL
TASKS = """
import os, random, time, uuid
import celery, requests, replay

app = celery.Celery("tasks", broker="filesystem://", backend="file://" + os.path.abspath("results"))
app.conf.broker_transport_options = dict.fromkeys(("data_folder_in", "data_folder_out"), os.path.abspath("queue"))
app.conf.broker_transport_options["control_folder"] = os.path.abspath("control")

@app.task
@replay.entrypoint
def ticket(number):
    if number == 3:
        raise ValueError(f"no ticket {number}")
    said = requests.post(os.environ["LLM"] + "/echo", json={"n": number, "run": uuid.uuid4().hex}).json()
    return [number, said, random.random(), time.time()]
"""

ASK = """
import sys
from tasks import ticket

asked = [ticket.delay(number) for number in range(4)]
print([one.get(timeout=50, propagate=False)[0] if number != 3 else str(one.get(timeout=50, propagate=False))
       for number, one in enumerate(asked)])
"""


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_celery(pool: str, tmp_path: Path) -> None:
    write(tmp_path / "tasks.py", TASKS)
    ask = write(tmp_path / "ask.py", ASK)
    for folder in ("results", "queue", "control"):
        (tmp_path / folder).mkdir()
    environ = {**os.environ, "REPLAY_DIR": str(tmp_path / "dir"), "PYTHONHASHSEED": "0"}
    worker = [sys.executable, "-m", "celery", "-A", "tasks", "worker", f"--pool={pool}", "-c", "2", "-l", "WARNING"]
    with spawn(errors=0) as llm:
        environ["LLM"] = llm
        with subprocess.Popen(
            [*worker, "--without-mingle"], cwd=tmp_path, env=environ, stdout=NOWHERE, stderr=NOWHERE
        ) as process:
            try:
                done = subprocess.run(
                    [sys.executable, ask], cwd=tmp_path, env=environ, capture_output=True, check=False, timeout=80
                )
            finally:
                process.terminate()
                process.wait(60)
    assert (done.returncode, done.stdout) == (0, b"[0, 1, 2, 'no ticket 3']\n"), done
    paths = sorted((tmp_path / "dir").glob("*.cassette"))
    assert len(paths) == 4
    for path in (paths[0], paths[-1]):
        run = replay.run(path)
        assert run.identical, (run, run.stderr.decode())
