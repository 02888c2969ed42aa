"""Where snapshots of a replayed process are left, and which are kept. Pure.

Events of a recording are a line; a snapshot stands at an event, and the present is one of them. To go to an event, the
program is executed from the last snapshot before it. So that stepping back costs few events:

- On the way to an event, snapshots are left at distances 1, 2, 4, 8, … before it (`on_the_way`).
- Kept are, for each power of two and on either side, the nearest and the farthest snapshot at such a distance from the
  present, and the first of all (`kept`). That is at most 4 for each doubling: 40 for a thousand events, 80 for a
  million. Where there is less room, those nearest to the present.

The cost of going to an event that is d before the present then stays a small multiple of d, and is never more than the
way from the beginning. (Logarithmic checkpointing, as in reverse debuggers: B. Boothe, *Efficient algorithms for
bidirectional debugging*, PLDI 2000. Equal distances were tried first: near the present, where one steps, they are too
far apart, and far away nobody needs them.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable


def start(held: Iterable[int], target: int) -> int | None:
    """The snapshot to begin with: the last one that isn't behind `target`; None: the program's beginning.

    Example:
        >>> start([3, 10, 40], 30), start([3], 1)
        (10, None)
    """
    return max((event for event in held if event <= target), default=None)


def on_the_way(begin: int, target: int) -> list[int]:
    """Where to leave snapshots between `begin` and `target`, ascending; `target` is the last.

    Example:
        >>> on_the_way(0, 20)
        [4, 12, 16, 18, 19, 20]
    """
    found = [target]
    distance = 1
    while target - distance > begin:
        found.append(target - distance)
        distance *= 2
    return found[::-1]


def kept(held: Collection[int], present: int, room: int | None = None) -> set[int]:
    """Which of them stay: at most `room`, the present one and the first of all among them.

    Example:
        >>> sorted(kept(range(21), 20))
        [0, 4, 5, 12, 13, 16, 17, 18, 19, 20]
        >>> sorted(kept(range(21), 20, 4))
        [0, 18, 19, 20]
    """
    classes: dict[tuple[bool, int], list[int]] = {}
    for event in held:
        classes.setdefault((event > present, abs(event - present).bit_length()), []).append(event)
    ends = {end for each in classes.values() for end in (min(each), max(each))} | set(sorted(held)[:1])
    if room is None or len(ends) <= room:
        return ends
    first = min(held)
    return {first, *sorted(ends - {first}, key=lambda event: abs(event - present))[: max(room - 1, 1)]}
