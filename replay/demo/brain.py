"""What the pretended model says: which tools it calls is scripted by the request, how it puts things is chance."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

MAX_ROUNDS = 3
"""After so many rounds of tool calls the model gives its final answer, whatever it was asked."""

SUPPORT_MODEL = "support"
"""Models whose name begins with this act as the support agent of the demonstration."""

_MARKER = re.compile(r"\[caller:[^\]]*\]")
_ORDER = re.compile(r"\b[A-Z]-\d{3,6}\b")
_CITIES = ("Lisbon", "Oslo", "Kraków", "Zürich", "São Paulo", "Nairobi", "Osaka", "Lima")
_OPENERS = ("Sure", "Of course", "Happy to help", "Right away", "Good question", "Voilà", "Thanks for waiting", "Okay")
_MIDDLES = (
    "I went through what you sent me",
    "here is what I found",
    "the short version is this",
    "I checked twice, to be safe",
    "this took a little digging — but it is done",
    "the records agree with you",
)
_CLOSERS = (
    "Let me know if anything is missing.",
    "Anything else?",
    "Have a lovely day ☀️",
    "I will keep an eye on it.",
    "That should settle it.",
    "Shall I go on?",
)
_MUSINGS = (
    "The user wants a quick answer; I should look at the facts first.",
    "Two ways to do this. The direct one has fewer surprises.",
    "I have seen this before, yet the details differ. Let me check.",
    "Better to ask the tools than to guess.",
)
# fmt: off
_WORDS = (
    "amber", "anchor", "basil", "cedar", "copper", "drift", "ember", "fern", "garnet", "harbour", "indigo", "juniper",
    "lantern", "maple", "naïve", "oak", "pebble", "quartz", "river", "saffron", "timber", "umber", "velvet", "willow",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call of the model."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, whichever API it came through. `role`: system, user, assistant or tool."""

    role: str
    text: str = ""
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool on offer: its name and the JSON schema of its arguments."""

    name: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request to the model, freed of its dialect.

    Attributes:
        choice: `auto`, `none`, `required`, or the name of the one tool to call.
        answer_schema: the final answer has to be JSON of this schema.
    """

    model: str
    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    parallel: bool = True
    caller: str = ""
    answer_schema: dict[str, Any] | None = None

    def since_question(self) -> tuple[Turn, ...]:
        """The turns after the last thing the user said."""
        asked = max((at for at, turn in enumerate(self.turns) if turn.role == "user"), default=-1)
        return self.turns[asked + 1 :]

    def question(self) -> str:
        """The last thing the user said."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")

    def instructions(self) -> str:
        """The system prompt, all of it."""
        return "\n".join(turn.text for turn in self.turns if turn.role == "system")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says: thoughts, text and calls, each possibly empty."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    thinking: str = ""


@dataclass(slots=True)
class Chance:
    """Randomness for one request."""

    source: random.Random = field(default_factory=random.SystemRandom)

    def pick(self, options: tuple[str, ...] | list[str]) -> str:
        """One of several."""
        return self.source.choice(options)

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens now."""
        return self.source.random() < probability

    def id(self, prefix: str) -> str:
        """An identifier such as `call_9f86d081884c7d65`."""
        return f"{prefix}{self.source.getrandbits(64):016x}"

    def pieces(self, text: str, longest: int = 12) -> Iterator[str]:
        """`text` in pieces of random length, as a model emits it."""
        at = 0
        while at < len(text):
            step = self.source.randint(1, longest)
            yield text[at : at + step]
            at += step


def think(conversation: Conversation, chance: Chance) -> Answer:
    """The model's next answer."""
    if conversation.model.startswith(SUPPORT_MODEL):
        return _support(conversation, chance)
    rounds = sum(bool(turn.calls) for turn in conversation.since_question())
    thinking = chance.pick(_MUSINGS) if chance.happens(0.5) else ""
    if _wants_tools(conversation, rounds, chance):
        return Answer(_aside(chance), tuple(_calls(conversation, chance)), thinking)
    if conversation.answer_schema is not None:
        return Answer(json.dumps(fill(conversation.answer_schema, conversation.question(), chance)), (), thinking)
    return Answer(_final(conversation, chance), (), thinking)


def _wants_tools(conversation: Conversation, rounds: int, chance: Chance) -> bool:
    if not conversation.tools or conversation.choice == "none" or rounds >= MAX_ROUNDS:
        return False
    return rounds == 0 or conversation.choice != "auto" or chance.happens(0.45)


def _aside(chance: Chance) -> str:
    return f"{chance.pick(_OPENERS)}, let me look that up." if chance.happens(0.3) else ""


def _calls(conversation: Conversation, chance: Chance) -> Iterator[Call]:
    offered = [tool for tool in conversation.tools if tool.name == conversation.choice] or list(conversation.tools)
    for _ in range(chance.source.randint(1, 3) if conversation.parallel else 1):
        tool = chance.source.choice(offered)
        yield Call(chance.id("call_"), tool.name, fill(tool.schema, conversation.question(), chance))


def _final(conversation: Conversation, chance: Chance) -> str:
    words = " ".join(chance.source.sample(_WORDS, chance.source.randint(2, 6)))
    results = [turn.text for turn in conversation.since_question() if turn.role == "tool"]
    seen = f" From {len(results)} lookups, the last said: {results[-1][:60]}." if results else ""
    text = f"{chance.pick(_OPENERS)} — {chance.pick(_MIDDLES)}: {words}.{seen} {chance.pick(_CLOSERS)}"
    return _marked(text, conversation)


def _marked(text: str, conversation: Conversation) -> str:
    marker = _MARKER.search(conversation.question())
    if marker is not None:
        return f"{text} {marker[0]}"
    return f"{text} [caller:{conversation.caller}]" if conversation.caller else text


# -- arguments by schema ------------------------------------------------------------------------------------------


def fill(schema: dict[str, Any], question: str, chance: Chance) -> Any:
    """A value that satisfies a JSON schema (the part of it that tools use).

    Example:
        >>> fill({"type": "object", "properties": {"order_id": {"type": "string"}}}, "where is A-1043?", Chance())
        {'order_id': 'A-1043'}
    """
    return _fill(schema, "", question, chance, cast("dict[str, Any]", schema.get("$defs") or {}))


def _fill(schema: dict[str, Any], name: str, question: str, chance: Chance, defs: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _fill(defs[schema["$ref"].rpartition("/")[2]], name, question, chance, defs)
    if "const" in schema:
        return schema["const"]
    for several in ("enum", "anyOf", "oneOf"):
        if schema.get(several):
            chosen = chance.source.choice(schema[several])
            return chosen if several == "enum" else _fill(chosen, name, question, chance, defs)
    kind = schema.get("type", "object")
    if kind == "object":
        properties = cast("dict[str, dict[str, Any]]", schema.get("properties") or {})
        required = schema.get("required", list(properties))
        return {
            key: _fill(inner, key, question, chance, defs)
            for key, inner in properties.items()
            if key in required or chance.happens(0.5)
        }
    if kind == "array":
        items = cast("dict[str, Any]", schema.get("items") or {"type": "string"})
        return [_fill(items, name, question, chance, defs) for _ in range(chance.source.randint(1, 3))]
    return _scalar(kind, name, question, chance)


def _scalar(kind: str, name: str, question: str, chance: Chance) -> Any:
    if kind == "integer":
        return chance.source.randint(1, 99)
    if kind == "number":
        return round(chance.source.uniform(1, 99), 2)
    if kind == "boolean":
        return chance.happens(0.5)
    if kind == "null":
        return None
    if "order" in name:
        found = _ORDER.findall(question)
        return chance.pick(found) if found else f"{chance.pick(list('ABC'))}-{chance.source.randint(1000, 9999)}"
    if "city" in name:
        return chance.pick(_CITIES)
    return " ".join(chance.source.sample(_WORDS, chance.source.randint(1, 4)))


# -- the support agent of the demonstration -----------------------------------------------------------------------

_AGAIN = re.compile(r"refund\w*\b.*\b(again|second time|twice|re-?issue\w*)\b", re.IGNORECASE)
_FORBIDDEN = re.compile(r"never refund\b.*\b(twice|more than once|again)\b", re.IGNORECASE)
_TO_REMEMBER = re.compile(r"(policy update: .*)", re.IGNORECASE)


def _support(conversation: Conversation, chance: Chance) -> Answer:
    """A support agent who takes its notes for policy. One step an answer, as models do; the order of steps is fixed."""
    made = [call for turn in conversation.since_question() for call in turn.calls]
    names = [call.name for call in made]
    question = conversation.question()
    offered = {tool.name for tool in conversation.tools}

    def step(said: str, *wanted: tuple[str, dict[str, Any]]) -> Answer:
        return Answer(said, tuple(Call(chance.id("call_"), name, given) for name, given in wanted))

    lesson = _TO_REMEMBER.search(question)
    if lesson is not None and "save_note" in offered and "save_note" not in names:
        said = chance.pick(("Noted, I will remember that.", "Good to know; I keep a note.", "I write that down."))
        return step(said, ("save_note", {"topic": "refund policy", "text": lesson[1].strip()}))
    order = _ORDER.search(question)
    if lesson is not None or order is None or "refund" not in question.lower() or "refund" not in offered:
        return Answer(_marked(f"{chance.pick(_OPENERS)}! {chance.pick(_CLOSERS)}", conversation))
    if "lookup_order" not in names:
        said = chance.pick(("Let me look at the order.", "First the order.", ""))
        return step(said, ("lookup_order", {"order_id": order[0]}))
    total = _total(conversation)
    again = _believed(conversation)
    refund = ("refund", {"order_id": order[0], "amount": total})
    if "refund" not in names:
        said = chance.pick(
            (
                f"The order was delivered and paid (${total:.2f}), so the customer gets the money back.",
                f"A broken lamp, ${total:.2f}: I refund it.",
                f"Delivered, paid, broken: a refund of ${total:.2f} is due.",
            )
        )
        return step(said, refund)
    if again and names.count("refund") == 1:
        said = chance.pick(
            (
                f"The customer has not confirmed yet. My notes say: {again} So I issue the refund again.",
                f"No confirmation so far, and my notes are clear ({again}), hence once more.",
                f"According to my notes ({again}) the refund has to be issued again.",
            )
        )
        return step(said, refund)
    if "send_email" not in names:
        told = chance.pick(("is on its way", "has been sent back to your card", "will arrive in 3 to 5 days"))
        mail = {"to": "customer", "subject": f"Your order {order[0]}", "body": f"Your refund of ${total:.2f} {told}."}
        return step(chance.pick(("Now the e-mail.", "I let the customer know.", "")), ("send_email", mail))
    done = chance.pick(("All done", "Settled", "It is taken care of"))
    closing = f"{done}: ${total:.2f} for {order[0]} is on its way back to you. {chance.pick(_CLOSERS)}"
    return Answer(_marked(closing, conversation))


def _believed(conversation: Conversation) -> str:
    """The note that tells the agent to refund again, unless its instructions forbid that."""
    instructions = conversation.instructions()
    notes = [line.strip()[2:] for line in instructions.splitlines() if line.strip().startswith("- ")]
    rules = "\n".join(line for line in instructions.splitlines() if not line.strip().startswith("- "))
    if _FORBIDDEN.search(rules):
        return ""
    return next((note for note in notes if _AGAIN.search(note)), "")


def _total(conversation: Conversation) -> float:
    for turn in reversed(conversation.since_question()):
        if turn.role == "tool" and '"total"' in turn.text:
            try:
                return float(json.loads(turn.text)["total"])
            except (ValueError, KeyError, TypeError):
                continue
    return 0.0
