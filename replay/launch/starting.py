"""How the process of a replay begins: by itself (`alone`), or in a fork (`replay.launch.zygote`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from replay import process
from replay.bootstrap import Spec
from replay.limits import Limits
from replay.process import Output


class Start(Protocol):
    """Begins a replay and waits for its end.

    Args:
        command, directory: what to run, and where. environ: its environment, without our own variable.
        spec: what it is to do (`replay.bootstrap`); its `channel`, if any, is one of our descriptors.

    Returns: process id, exit code as a shell would give it, standard output and standard error where captured.

    Raises:
        NotReplayable: it can't be started. LimitReached: it was ended.
    """

    def __call__(
        self, command: Sequence[str], environ: Mapping[str, str], spec: Spec, output: Output, directory: str
    ) -> tuple[int, int, bytes, bytes]: ...


def alone(limits: Limits) -> Start:
    """In a process that is started for it."""
    return partial(_start, limits)


def _start(
    limits: Limits, command: Sequence[str], environ: Mapping[str, str], spec: Spec, output: Output, directory: str
) -> tuple[int, int, bytes, bytes]:
    channel = spec.get("channel")
    return process.start(
        command,
        {**environ, "REPLAY_BOOT": json.dumps(spec)},
        output,
        directory,
        contained=True,
        inherits=() if channel is None else (channel,),
        limits=limits,
    )
