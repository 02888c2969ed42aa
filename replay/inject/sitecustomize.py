"""Found first on `PYTHONPATH` by a Python that `replay` starts: recording or replaying begins before the program does.

It takes itself out of the way, so that the program sees its own environment and its own `sitecustomize`.
"""

import importlib
import os
import sys


def _boot() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != here]
    spec = os.environ.pop("REPLAY_BOOT", None)
    mine = sys.modules.pop("sitecustomize", None)
    try:
        importlib.import_module("sitecustomize")  # the environment's own, if it has one
    except ImportError:
        if mine is not None:
            sys.modules["sitecustomize"] = mine
    if spec is None:
        return
    try:
        from replay.bootstrap import boot
    except ImportError as error:
        recording = '"mode": "record"' in spec
        what, slug = ("nothing is recorded", "not-recorded") if recording else ("not run", "not-replayable")
        sys.stderr.write(
            f"replay: {what}: {sys.executable} can't import agent-replay ({error}); "
            f"install it in the environment that runs the program [{slug}]\n"
        )
        if not recording:  # it would be the program itself, with all that it does to the world
            sys.stderr.flush()
            os._exit(125)
        return
    boot(spec)


_boot()
