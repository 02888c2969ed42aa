"""The commands of `replay debug`: each line typed is one of the table; its answer is a document, and lines of text.

LINE = NAME [ARGUMENT…]; a name may be shortened to its letter; several on one line, with `;` between them
"""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import os
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from replay.cassette.reader import Reader
from replay.model.errors import UsageError
from replay.queries.words.brief import arguments
from replay.timeline.session import Place, Session, Value, When
from replay_cli.render.text import block, one_line, plural

_AT: Final = re.compile(r"^(?P<what>.*\S)\s+at\s+(?P<event>\d+)$", re.DOTALL)
_AROUND: Final = 5
_ELSEWHERE: Final = {
    "why": "what accounts for the event, ranked (`replay why`)",
    "context": "the model's window at the event, or at the model's last call before it (`replay context`)",
    "memory": "what stores held before the event (`replay memory --at`)",
    "effects": "writes to the world, in order (`replay effects`)",
    "show": "the event whole (`replay show`)",
}
"""Commands that read the recording: they are asked about the present event, or the one that is named."""


@dataclass(slots=True)
class Answer:
    """Of one command. lines: for people. document: for `--json`. failed: an expression couldn't be evaluated."""

    lines: list[str]
    document: dict[str, Any] = field(default_factory=dict[str, Any])
    failed: bool = False


class Debugger:
    """Understands lines.

    Args:
        session: what they are about. told: called with each event that a search looks at.
        json: documents are wanted, also of other commands.

    Attributes:
        frame: which of the stack's frames is looked at. watched: expressions that are shown wherever one comes to.
    """

    def __init__(self, session: Session, told: Callable[[int], None] | None = None, *, json: bool = False) -> None:
        self.session = session
        self._json = json
        self.frame = 0
        self.watched: list[str] = []
        self._told = told
        self._reader = Reader.open(session.path)

    def close(self) -> None:
        self._reader.close()

    @property
    def names(self) -> list[str]:
        """All commands, for completion."""
        return [*_COMMANDS, *_ELSEWHERE]

    def answer(self, line: str) -> Answer:
        """What came of that line.

        Raises:
            UsageError: there is no such command, or not with these words. NotReplayable and the like.
        """
        name, _, rest = line.strip().partition(" ")
        found = _named(name)
        if found in _ELSEWHERE:
            return self._elsewhere(found, rest.strip())
        return _COMMANDS[found].do(self, rest.strip())

    # -- going -------------------------------------------------------------------------------------------------

    def forward(self, words: str) -> Answer:
        self.session.forward(_number(words, 1))
        return self.here("")

    def back(self, words: str) -> Answer:
        if self.session.position < 0:
            return self.here("")
        self.session.back(_number(words, 1))
        return self.here("")

    def goto(self, words: str) -> Answer:
        self.session.goto(_number(words, None))
        return self.here("")

    def here(self, _: str) -> Answer:
        """Where one stands."""
        self.frame = 0
        session = self.session
        stop, stack = session.stop, session.stack()
        event = stop.event
        end = session.end
        document: dict[str, Any] = {
            "event": event,
            "what": self._what(event),
            "differs": stop.differs,
            "why": stop.why if stop.differs else None,
            "stack": [asdict(each) for each in stack],
            "source": _source(stack[0]).strip() if stack else None,
            "back": "checkpoints" if session.goes_back else "re-execution",
            "end": None if end is None or session.position < end.event else end.what,
        }
        lines = [f"event {'none' if event is None else event} of {session.total}: {document['what']}"]
        if stop.differs:
            lines.append(f"✗ {stop.why}")
        elif document["end"]:
            lines.append(f"  behind it {document['end']}")
        for each in stack[:_AROUND]:
            lines += [f"  {_where(each)}", f"    {_source(each).strip()}"]
        if len(stack) > _AROUND:
            lines.append(f"  … {plural(len(stack) - _AROUND, 'more caller')}")
        watched = [self._watch(each) for each in self.watched]
        if watched:
            document["watched"] = [value for _, value in watched]
            lines += [line for shown, _ in watched for line in shown]
        return Answer(lines, document)

    # -- looking -----------------------------------------------------------------------------------------------

    def value(self, words: str) -> Answer:
        match = _AT.match(words)
        if match is not None and not _is_expression(words):
            began = self.session.position
            self.session.goto(int(match["event"]))
            at = self.session.position
            try:
                found = self._print(match["what"], 0)
            finally:
                self.session.goto(max(began, 0))
            said = (
                [] if at == int(match["event"]) else [f"(at event {at}, the first behind it where it can be stopped)"]
            )
            return Answer([*said, *found.lines], {**found.document, "event": at}, found.failed)
        if not words:
            raise UsageError("print needs an expression", hint="print EXPR, print EXPR at N")
        return self._print(words, self.frame)

    def _print(self, expression: str, frame: int) -> Answer:
        value = self.session.evaluate(expression, frame)
        document = {"expression": expression, "event": self.session.position, **_document(value)}
        return Answer(_lines(value), document, value.error is not None)

    def variables(self, words: str) -> Answer:
        found = self.session.locals(_number(words, self.frame))
        lines = [f"{one_line(name)} = {one_line(text)}" for name, text in found] or ["(no local variables)"]
        return Answer(lines, {"event": self.session.position, "locals": dict(found)})

    def up(self, words: str) -> Answer:
        return self._select(self.frame + _number(words, 1))

    def down(self, words: str) -> Answer:
        return self._select(self.frame - _number(words, 1))

    def _select(self, frame: int) -> Answer:
        stack = self.session.stack()
        if not stack:
            return Answer(["(no code of the agent's own is running here)"], {"frame": None})
        self.frame = min(max(frame, 0), len(stack) - 1)
        chosen = stack[self.frame]
        return Answer([_where(chosen), f"  {_source(chosen).strip()}"], {"frame": self.frame, **asdict(chosen)})

    def source(self, words: str) -> Answer:
        stack = self.session.stack()
        if not stack:
            return Answer(["(no code of the agent's own is running here)"], {"lines": []})
        place = stack[min(self.frame, len(stack) - 1)]
        around = _number(words, _AROUND)
        found = [(number, text) for number in range(max(place.line - around, 1), place.line + around + 1)
                 if (text := linecache.getline(place.file, number).rstrip("\n")) or number == place.line]  # fmt: skip
        lines = [f"{'→' if number == place.line else ' '} {number:>4}  {one_line(text)}" for number, text in found]
        return Answer([_where(place), *lines], {**asdict(place), "lines": [[number, text] for number, text in found]})

    def events(self, words: str) -> Answer:
        around, here = _number(words, _AROUND), self.session.position
        known = self.session.events
        near = [event for event in known if event < here][-around:] + [event for event in known if event >= here][
            : around + 1
        ]
        found = [(event, self._what(event)) for event in near]
        lines = [f"{'→' if event == here else ' '} {event:>5}  {what}" for event, what in found]
        return Answer(lines, {"events": [{"id": event, "what": what} for event, what in found]})

    def when(self, words: str) -> Answer:
        scan = words.startswith("--scan ")
        expression = words.removeprefix("--scan ").strip()
        if not expression:
            raise UsageError("when needs an expression", hint="when EXPR, when --scan EXPR")
        found = self.session.when(expression, scan=scan, told=self._told)
        document = {
            "expression": expression,
            "event": found.found.event,
            "asked": found.found.asked,
            "scan": scan,
            "errors": found.errors,
            "error": found.error,
        }
        lines = _when_lines(expression, found, scan=scan)
        if found.found.event is None:
            return Answer(lines, document, failed=found.found.asked == found.errors)
        here = self.here("")
        return Answer([*lines, *here.lines], {**document, "here": here.document})

    def watch(self, words: str) -> Answer:
        if words and words not in self.watched:
            self.watched.append(words)
        shown = [self._watch(each) for each in self.watched]
        lines = [line for each, _ in shown for line in each] or ["(nothing is watched: watch EXPR)"]
        return Answer(lines, {"watched": [value for _, value in shown]})

    def unwatch(self, words: str) -> Answer:
        self.watched = [each for each in self.watched if words and each != words]
        return Answer([f"{plural(len(self.watched), 'expression')} watched"], {"watched": self.watched})

    def end(self, _: str) -> Answer:
        began = max(self.session.position, 0)
        self.session.goto(self.session.total)
        self.session.forward()
        end = self.session.end
        self.session.goto(began)
        assert end is not None
        mark = "✗ " if end.differs else ""
        return Answer(
            [f"{mark}behind event {end.event}: {one_line(end.what)}"] if not end.differs
            else [f"{mark}at event {end.event}: {one_line(end.what)}"],
            {"event": end.event, "what": end.what, "differs": end.differs},
        )  # fmt: skip

    def commands(self, _: str) -> Answer:
        rows = [(each.usage, each.what) for each in _COMMANDS.values()]
        rows += [(f"{name} [N]", what) for name, what in _ELSEWHERE.items()]
        return Answer([f"{usage:<24}{what}" for usage, what in rows], {"commands": [usage for usage, _ in rows]})

    # -- inside ------------------------------------------------------------------------------------------------

    def _watch(self, expression: str) -> tuple[list[str], dict[str, Any]]:
        value = self.session.evaluate(expression)
        first, *rest = _lines(value)
        return [f"  {one_line(expression)} = {first}", *(f"    {line}" for line in rest)], {
            "expression": expression,
            **_document(value),
        }

    def _what(self, event: int | None) -> str:
        """An event of the recording in a line."""
        if event is None or event >= len(self._reader):
            return "nothing of the recording is left"
        found = self._reader.event(event)
        given = f"({arguments(found.request)})" if found.kind in ("tool", "memory") else ""
        lane = "" if found.lane == "m" else f"  in lane {found.lane}"
        return one_line(f"{found.kind} {found.name}{given}")[:200] + lane

    def _elsewhere(self, name: str, words: str) -> Answer:
        from replay_cli.main import run

        given = shlex.split(words)
        event = str(max(self.session.position, 0))
        if given and given[0].isdigit():
            event, given = given[0], given[1:]
        elif name == "context":
            event = str(self._last_call(int(event)))
        place = {"memory": ["--at", event], "effects": []}.get(name, [event])
        argv = [name, self.session.path, *place, *given]
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = run([*argv, "--json"] if self._json else argv)
        text = out.getvalue()
        document = json.loads(text) if self._json and text else None
        return Answer(text.splitlines(), {"exit_code": code, "document": document}, failed=code not in (0, 1))

    def _last_call(self, event: int) -> int:
        """The model's last call up to that event, or that event."""
        before = range(min(event, len(self._reader) - 1), -1, -1)
        return next((number for number in before if self._reader.event(number).kind == "llm"), event)


@dataclass(frozen=True, slots=True)
class _Command:
    usage: str
    what: str
    do: Callable[[Debugger, str], Answer]


_COMMANDS: Final = {
    "next": _Command("next [COUNT]", "to the next event, COUNT events further", Debugger.forward),
    "back": _Command("back [COUNT]", "to the event before, COUNT events back", Debugger.back),
    "goto": _Command("goto N", "to event N, or the next one behind it where the program can be stopped", Debugger.goto),
    "here": _Command("here", "the event, the line of the agent's own code, and who called it", Debugger.here),
    "print": _Command("print EXPR [at N]", "its value in the agent's frame, here or at event N", Debugger.value),
    "when": _Command(
        "when [--scan] EXPR", "to the first event at which it is true; --scan: look at each", Debugger.when
    ),
    "watch": _Command("watch [EXPR]", "show it wherever one comes to", Debugger.watch),
    "unwatch": _Command("unwatch [EXPR]", "don't show it any more; without EXPR: none", Debugger.unwatch),
    "locals": _Command("locals", "local variables of the frame", Debugger.variables),
    "up": _Command("up [COUNT]", "look at the caller's frame", Debugger.up),
    "down": _Command("down [COUNT]", "look at the frame that it called", Debugger.down),
    "list": _Command("list [LINES]", "the source around", Debugger.source),
    "events": _Command("events [COUNT]", "the events around", Debugger.events),
    "end": _Command("end", "how the execution ends, or where it goes another way", Debugger.end),
    "help": _Command("help", "this", Debugger.commands),
}


def split(text: str) -> list[str]:
    """The commands of a text: lines, and what `;` divides outside of quotes.

    Example:
        >>> split("goto 12; print 'a;b'")
        ['goto 12', "print 'a;b'"]
    """
    return [each for line in text.splitlines() for each in _parts(line)]


def _parts(line: str) -> Iterator[str]:
    quote, begin = "", 0
    for at, char in enumerate(f"{line};"):
        if quote:
            quote = "" if char == quote and line[at - 1] != "\\" else quote
        elif char in "'\"" and at < len(line):
            quote = char
        elif char == ";":
            if part := line[begin:at].strip():
                yield part
            begin = at + 1
    if quote and (part := line[begin:].strip()):
        yield part


def _named(name: str) -> str:
    names = [*_COMMANDS, *_ELSEWHERE]
    found = name if name in names else next((each for each in names if name and each.startswith(name)), None)
    if found is None:
        raise UsageError(f"no command {one_line(name)!r}", hint="help lists them")
    return found


def _number(words: str, otherwise: int | None) -> int:
    if not words and otherwise is not None:
        return otherwise
    if not words.isdigit():
        raise UsageError(f"{one_line(words)!r} is no number" if words else "it needs a number", hint="help says how")
    return int(words)


def _is_expression(text: str) -> bool:
    try:
        compile(text, "<replay debug>", "eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _where(place: Place) -> str:
    return one_line(
        f"{os.path.relpath(place.file) if os.path.isabs(place.file) else place.file}:{place.line}  {place.function}"
    )


def _source(place: Place) -> str:
    return one_line(linecache.getline(place.file, place.line).rstrip("\n") or "(its source isn't there)")


def _document(value: Value) -> dict[str, Any]:
    if value.error is not None:
        return {"error": value.error, "printed": value.printed}
    return {"value": value.text, "type": value.type, "true": value.truth, "printed": value.printed}


def _lines(value: Value) -> list[str]:
    printed = block(value.printed).splitlines()
    if value.error is not None:
        return [*printed, f"✗ {one_line(value.error)}"]
    return [*printed, *map(one_line, value.text.splitlines() or [""])]


def _when_lines(expression: str, found: When, *, scan: bool) -> list[str]:
    shown, asked = one_line(expression), plural(found.found.asked, "event")
    if found.found.asked == found.errors and found.error is not None:
        return [f"✗ {one_line(found.error)}"]
    if found.found.event is None:
        if scan:
            return [f"{shown} is true at none of {asked}"]
        said = f"{shown} isn't true at event {found.found.before}, the last one where it can be told"
        return [f"{said}; whether it was before: when --scan {shown}"]
    said = (
        f"{shown} is true from event {found.found.event} on"
        if not scan
        else f"{shown} is true at event {found.found.event}"
    )
    before = "" if found.found.before is None else f", not at {found.found.before}"
    assumed = "" if scan else "; taken for granted that it stays true (when --scan looks at each)"
    errors = "" if not found.errors else f"; it can't be told at {found.errors} of them ({one_line(found.error or '')})"
    return [f"{said}{before}: {asked} looked at{errors}{assumed}"]
