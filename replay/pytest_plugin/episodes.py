"""What a test asked of the world and got: kept by vcrpy's rules, whoever recorded it. Pure.

Rules (vcrpy's; `rewound` means that there was a cassette when the test began):

    mode            gives out                            asks the world
    none            what there is                        never
    once            what there is, if rewound            if not rewound
    new_episodes    what there is, if rewound            for what there isn't
    all             nothing                              always

- Each episode is given once, in the recorded order; as often as one likes with `repeats`.
- A request is an episode's when the matchers of `match_on` say so. Among several, one that asked exactly the same
  comes first: where requests overlap, vcrpy would give them each other's answers.
- Saving: in `all`, what was recorded now takes the place of what it matches; in the other modes it comes behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from replay.matching import normalise
from replay.matching.compare import Request, same
from replay.matching.redacted import fits
from replay.model.errors import RequestNotRecorded, UsageError
from replay.model.event import Event

Mode = Literal["none", "once", "new_episodes", "all"]
MODES: Final[tuple[Mode, ...]] = ("none", "once", "new_episodes", "all")
MATCH_ON: Final = ("method", "scheme", "host", "port", "path", "query")


@dataclass(slots=True, eq=False)
class Episode:
    """One exchange.

    Attributes:
        head: status, reason and headers of the answer, as seams have it. pieces: of its body.
        whole: all of the answer is there. played: how often it was given.
    """

    request: Request
    head: Any = None
    pieces: list[bytes] = field(default_factory=list[bytes])
    streams: bool = False
    whole: bool = False
    played: int = 0

    @classmethod
    def of(cls, event: Event, *, vcr: bool = False) -> Episode:
        """A recorded event. `vcr`: it keeps bodies as they are after transfer, with the headers from before."""
        head: dict[str, Any] = {"version": "HTTP/1.1", "reason": "", **(event.response or {})}
        body: bytes = head.pop("body", None) or b""
        pieces = [body] if body else []
        pieces += [piece.value for piece in event.pieces if piece.status == "piece"]
        if vcr:
            size = sum(map(len, pieces))
            framing = ("content-length", "transfer-encoding")
            lines = [line for line in head["headers"] if line[0].lower() not in framing]
            asked_for_head = str(event.request.get("method")).upper() == "HEAD"
            empty = asked_for_head or head["status"] in (204, 304)
            head["headers"] = lines if empty else [*lines, ["content-length", str(size)]]
        return cls(Request.of(event), head, pieces, streams=bool(pieces), whole=True)


class Episodes:
    """Those of one test.

    Args:
        loaded: what there was; None where there is no cassette.
        match_on: names of MATCHERS. repeats: see above. ignored: hosts whose requests are the test's own business.
    """

    def __init__(
        self,
        mode: Mode,
        loaded: Iterable[Episode] | None,
        *,
        match_on: Sequence[str] = MATCH_ON,
        repeats: bool = False,
        ignored: Iterable[str] = (),
        where: str = "",
    ) -> None:
        if mode not in MODES:
            raise UsageError(f"replay mode {mode!r}: it is one of {', '.join(MODES)}")
        unknown = [name for name in match_on if name not in MATCHERS]
        if unknown:
            raise UsageError(f"match_on {unknown[0]!r}: it is one of {', '.join(MATCHERS)}")
        self.mode = mode
        self.rewound = loaded is not None
        self.all = list(loaded or ())
        self.refused: list[str] = []
        self._loaded = len(self.all)
        self._match_on = tuple(match_on)
        self._repeats = repeats
        self._ignored = frozenset(ignored)
        self._where = where

    @property
    def records(self) -> bool:
        """Whether the world may be asked."""
        return self.mode not in ("none", "once") or (self.mode == "once" and not self.rewound)

    @property
    def plays(self) -> bool:
        """Whether anything may be given out."""
        return self.mode != "all" and (self.rewound or self._repeats)

    @property
    def new(self) -> list[Episode]:
        """What was recorded now."""
        return self.all[self._loaded :]

    @property
    def play_count(self) -> int:
        """How many answers were given out."""
        return sum(each.played for each in self.all)

    @property
    def all_played(self) -> bool:
        """Whether each was given out."""
        return all(each.played for each in self.all)

    def ignores(self, request: Request) -> bool:
        """Whether it goes past the cassette."""
        return bool(self._ignored) and _url(request).hostname in self._ignored

    def answer(self, request: Request) -> Episode | None:
        """The episode to give out; None: the world is to be asked.

        Raises:
            RequestNotRecorded: there is none, and the world may not be asked.
        """
        found = self._find(request) if self.plays else None
        if found is not None:
            found.played += 1
        elif not self.records:
            raise self._missing(request)
        return found

    def add(self, request: Request) -> Episode:
        """One that is being recorded."""
        made = Episode(request)
        self.all.append(made)
        return made

    def saved(self) -> list[Episode]:
        """What the cassette is to have from now on."""
        before, now = self.all[: self._loaded], [each for each in self.new if each.head is not None]
        if self.mode == "all":
            before = [old for old in before if not any(self._matches(old.request, each.request) for each in now)]
        return before + now

    def _find(self, request: Request) -> Episode | None:
        free = [
            each
            for each in self.all
            if each.whole and (self._repeats or not each.played) and self._matches(each.request, request)
        ]
        return next((each for each in free if same(each.request, request)), free[0] if free else None)

    def _matches(self, one: Request, other: Request) -> bool:
        return all(MATCHERS[name](one, other) for name in self._match_on)

    def _missing(self, request: Request) -> RequestNotRecorded:
        """Says what is nearest, and by what it differs."""
        asked = f"{_method(request)} {_url(request).geturl()}"
        self.refused.append(asked)
        if not self.rewound:
            return RequestNotRecorded(
                f"{asked}: there is no {self._where}", hint="--replay-mode=once records it; docs/pytest.md"
            )
        scored = [
            (each, [name for name in self._match_on if not MATCHERS[name](each.request, request)]) for each in self.all
        ]
        near = sorted(scored, key=lambda pair: len(pair[1]))[:1]
        reason = "it has no requests"
        for each, failed in near:
            url = f"{_method(each.request)} {_url(each.request).geturl()}"
            reason = (
                f"the nearest is {url}, which differs in {', '.join(failed)}" if failed else f"{url} was given already"
            )
        return RequestNotRecorded(
            f"{asked}: not in {self._where}: {reason}", hint="--replay-mode=new_episodes records it"
        )


def _url(request: Request) -> Any:
    return urlsplit(str(request.request.get("url", "")))


def _method(request: Request) -> str:
    return str(request.request.get("method", "")).upper()


def _port(request: Request) -> int | None:
    url = _url(request)
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def _query(request: Request) -> list[tuple[str, str]]:
    return sorted(parse_qsl(_url(request).query, keep_blank_values=True))


def _same_query(one: Request, other: Request) -> bool:
    a, b = _query(one), _query(other)
    return len(a) == len(b) and all(x == y and fits(v, w) for (x, v), (y, w) in zip(a, b, strict=True))


def _same_headers(one: Request, other: Request) -> bool:
    a, b = (normalise.http(each.request).headers for each in (one, other))
    return len(a) == len(b) and all(
        name == again and len(values) == len(others) and all(map(fits, values, others))
        for (name, values), (again, others) in zip(a, b, strict=True)
    )


def _same_body(one: Request, other: Request) -> bool:
    bare: dict[str, Any] = {"method": "", "url": "", "headers": []}
    return same(one._replace(name="", request=bare), other._replace(name="", request=bare))


MATCHERS: Final[Mapping[str, Callable[[Request, Request], bool]]] = {
    "method": lambda one, other: _method(one) == _method(other),
    "scheme": lambda one, other: bool(_url(one).scheme == _url(other).scheme),
    "host": lambda one, other: fits(_url(one).hostname or "", _url(other).hostname or ""),
    "port": lambda one, other: _port(one) == _port(other),
    "path": lambda one, other: fits(_url(one).path or "/", _url(other).path or "/"),
    "query": _same_query,
    "uri": lambda one, other: fits(normalise.url(_url(one).geturl()), normalise.url(_url(other).geturl())),
    "headers": _same_headers,
    "body": _same_body,
    "raw_body": lambda one, other: (one.body or b"") == (other.body or b""),
}
"""vcrpy's, by their names. Placeholders of redacted secrets match anything."""
