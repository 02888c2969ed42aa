"""A worker of `replay test`: a path a line on standard input, what came of it as JSON a line on standard output."""

from __future__ import annotations

import json
import sys

from replay.corpus.trial import trials
from replay.limits import Limits


def main(seconds: str, memory: str) -> None:
    """Until standard input ends. The limits in seconds and bytes; 0 for none."""
    limits = Limits(float(seconds) or None, int(memory) or None)
    try:
        with trials(limits) as attempt:
            for line in sys.stdin:
                sys.stdout.write(json.dumps(attempt(json.loads(line)).to_json()) + "\n")
                sys.stdout.flush()
    except (KeyboardInterrupt, BrokenPipeError):  # nobody waits for the rest
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
