"""What a fork is to do: which recording, from where on, with which answers changed, and who answers then. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from replay.cassette.codec import pack, unpack
from replay.fork.telling import rewritten, with_prompt

LIVE: Final = "live"
RECORDED: Final = "recorded"

Status = Literal["ended", "unresolved", "held", "diverged", "cut"]
How = Literal["value", "error", "drop"]


@dataclass(frozen=True, slots=True)
class Substitute:
    """The outcome that takes the place of a recorded one.

    Attributes:
        how: `value`: an answer; `error`: an exception; `drop`: no answer comes, the call fails with
            `ConnectionResetError` and what it would have done isn't done.
        value: as a cassette stores it (`Event.response`, or the exception as `Failure.value`); the head of a stream.
        pieces: of a stream, such as the body of an HTTP answer; None: the recorded ones.
        content: the large part of the answer (what was in a file).

    Example:
        >>> Substitute("value", {"status": "shipped"}).how
        'value'
    """

    how: How
    value: Any = None
    pieces: Sequence[Any] | None = None
    content: bytes | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One hybrid execution.

    Up to the fork point the recording is replayed, in its order. Behind it, the first of these that knows answers:

    1. the substitute of the event that is the same call on the same lane;
    2. where there is no `at`: the recording, as long as the lane does what it did there, and anywhere else an answer to
       exactly this request that wasn't used yet, in `base` first, then in `further`, in their order;
    3. `then`.

    With an `at`, `then` decides about everything behind it: `recorded` is rule 2.

    Attributes:
        base: path of the recording.
        at: event id from whose outcome on everything is `then`'s; None: from the first substitute on.
        substitutes: by event id of `base`, not before `at`.
        then: `live`, `recorded`, or a shell command that gets a request as JSON on its standard input and prints the
            answer as JSON (docs/fork.md).
        further: other recordings with answers. allow_effects: live effects needn't be approved.
        order: event ids of `base` in the order in which their outcomes are to come; the others keep theirs. As far as
            the program lets them: what asks only after another outcome can't get its own before.
        files: absolute path -> what is in the file behind the fork point, whatever the recording says of it, until the
            program writes there; None: there is none.
        anew: event ids of `base`: from the first of their outcomes on, models are asked by `then`, whatever a recording
            says: where answers come by chance, one that was recorded is only one of them.
        ask: effects may be approved on the terminal.
        prompt: (role, text): what the last message of that role says in the model's requests from the fork point on.
        rewrites: texts of the model's requests (whole strings in their JSON) and what stands in their place, from the
            fork point on, the program's being as they were. With a prompt or rewrites `at` is asked anew.
        edits: what was changed, in words, for the header of the new recording.
    """

    base: str
    at: int | None = None
    substitutes: Mapping[int, Substitute] = field(default_factory=dict[int, Substitute])
    then: str = RECORDED
    further: Sequence[str] = ()
    allow_effects: bool = False
    order: Sequence[int] | None = None
    ask: bool = False
    prompt: tuple[str, str] | None = None
    rewrites: Mapping[str, str] | None = None
    edits: Sequence[str] = ()
    anew: Sequence[int] = ()
    files: Mapping[str, bytes | None] = field(default_factory=dict[str, bytes | None])

    @property
    def changes(self) -> dict[int, bool]:
        """The events whose outcome may be another than the recorded one; True: it doesn't even begin. Behind the first
        of them in the recording, and behind the first whose outcome comes at another time, lies the fork."""
        at = dict.fromkeys(self.anew if self.at is None else (self.at, *self.anew), False)
        return at | {event: each.how == "drop" for event, each in self.substitutes.items()}

    @property
    def follows(self) -> bool:
        """The recording goes on answering where the execution is still the same."""
        return self.at is None or self.then == RECORDED

    @property
    def tells_otherwise(self) -> bool:
        """The model is told something else than the program says."""
        return self.prompt is not None or self.rewrites is not None

    def told(self, body: bytes | None) -> bytes | None:
        """What the model is told in place of this request."""
        made = body if self.prompt is None or body is None else with_prompt(body, self.prompt)
        return made if self.rewrites is None or made is None else rewritten(made, self.rewrites)

    def to_bytes(self) -> bytes:
        """For the process that executes it."""
        substitutes = {event: asdict(each) for event, each in self.substitutes.items()}
        return pack({**asdict(replace(self, substitutes={})), "substitutes": substitutes})

    @classmethod
    def from_bytes(cls, stored: bytes) -> Plan:
        """The other way."""
        known: Any = unpack(stored)
        substitutes = {event: Substitute(**each) for event, each in known.pop("substitutes").items()}
        return cls(**known, substitutes=substitutes)


@dataclass(frozen=True, slots=True)
class Forked:
    """What came of one.

    Attributes:
        status: `ended`: the program did. `unresolved`: it asked what nobody answers. `held`: it was about to change the
            world, unapproved. `diverged`: it took another way before the fork point. `cut`: it was killed.
        reason: in a sentence; empty where it ended.
        cassette: the new recording; None where there is none. It ends where the execution did.
        exit_code: the program's own, None where it didn't end.
        event: of the new recording, where it stopped.
        stdout, stderr: the program's output, where captured.
    """

    status: Status
    reason: str
    cassette: str | None
    exit_code: int | None
    event: int | None = None
    stdout: bytes = field(default=b"", repr=False)
    stderr: bytes = field(default=b"", repr=False)

    def to_json(self) -> dict[str, Any]:
        """The document of `replay fork --json`."""
        return {
            "status": self.status,
            "reason": self.reason,
            "cassette": self.cassette,
            "exit_code": self.exit_code,
            "event": self.event,
        }
