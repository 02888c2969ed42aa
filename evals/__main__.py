"""`make eval`: the figures of docs/why.md, again, on the data of --data.

python -m evals [--data DIR]           what why, triage and check get right, beside trivial rules
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from evals import attribution, check, speed, triage, why
from evals.cases import cases
from evals.paraphrase import HELD_OUT, TUNED, WATCHED

SAMPLE = Path(__file__).parents[1] / "fixtures" / "transcripts"


def main() -> int:
    """Prints a line for each figure: right, of how many, share."""
    parser = argparse.ArgumentParser(prog="make eval", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("REPLAY_EVAL_DATA", SAMPLE)))
    parser.add_argument("--quick", action="store_true", help="without the attacks in other words")
    parser.add_argument("--speed", action="store_true", help="how long why takes on a cassette of 10,000 events, too")
    parser.add_argument("--fit", action="store_true", help="only fit the weights again, and once without each suite")
    parser.add_argument(
        "--held-out", action="store_true", help="only triage and check on each suite and model left out"
    )
    chosen = parser.parse_args()
    if chosen.fit or chosen.held_out:
        from evals import fit, heldout  # need numpy

        for line in (fit if chosen.fit else heldout).told(chosen.data):
            print(line, flush=True)  # noqa: T201
        return 0
    tally = why.empty()
    original = list(cases(chosen.data))
    why.attacks(original, tally, "why")
    why.trivial(original, tally)
    why.benign(original, tally)
    triage.verdicts(original, tally, "triage")
    check.check(original, tally)
    attribution.attribution(chosen.data, tally)
    learnt = check.learnt(original)
    for head, templates in () if chosen.quick else (("tuned", TUNED), ("watched", WATCHED), ("held out", HELD_OUT)):
        for name, template in templates.items():
            reworded = list(cases(chosen.data, template))
            why.attacks(reworded, tally, f"why, {head} {name}")
            triage.verdicts(reworded, tally, f"triage, {head} {name}")
            check.reworded(learnt, reworded, tally, f"check, {head} {name}")
    if chosen.speed:
        print(speed.told(), "\n")  # noqa: T201
    print(f"{len(original)} runs of {chosen.data}\n")  # noqa: T201
    for row, (right, of) in tally.items():
        print(f"{row:<56} {right:>4} of {of:>4}  {right / of:6.1%}")  # noqa: T201
    if any(row.startswith("who&when") for row in tally):
        print(f"\nwho&when, {attribution.PUBLISHED}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
