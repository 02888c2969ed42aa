"""The words of the track: what a flat TRACK array says.

STEP lane 0      a task step of that lane ran on its loop
CALLBACK lane 0  a plain callback of that lane ran
TIMER lane n     the lane's n-th timer fired
STOP lane 0      the loop that this lane drives left `run_forever`
DRAW lane source value     a library's read of clock or chance (four fields; `source` indexes SOURCES)
ACQUIRE lane n             the lane got its lock; n is 1, or 0 where it gave up
SIGNAL lane n              a signal handler ran in that lane (`replay.boundary.interrupts` says what n means)
ARRIVAL lane n             signal n reached the callback that this lane gave to `loop.add_signal_handler`
TAKEOVER lane n            the lane's thread draws from a random stream that another drew from; n draws came before
SWITCH lane n              strict threads: the lane gives up the baton (n is GIVE) or takes it (TAKE)
"""

from __future__ import annotations

STEP, CALLBACK, TIMER, STOP, DRAW, ACQUIRE, SIGNAL, ARRIVAL, TAKEOVER, SWITCH = range(10)

GIVE, TAKE = range(2)

NAMES: tuple[str, ...] = (
    *("step", "callback", "timer", "stop", "draw", "acquire", "signal", "arrival", "takeover", "switch"),
)
