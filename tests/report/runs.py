"""Recordings to report on."""

from __future__ import annotations

import random
from pathlib import Path

from tests.forensics.recordings import POISON, Agent, injected, system, user

__all__ = ["injected", "long"]

_WORDS = (
    "order parcel lamp ticket customer answer stool refund address delivery note page search result price stock".split()
)


def long(path: Path, events: int) -> Path:
    """An agent that works on tickets, with about a kilobyte in each result, until it is told to pay somebody."""
    chance = random.Random(events)

    def text(words: int) -> str:
        return " ".join(f"{chance.choice(_WORDS)}{chance.randrange(1000)}" for _ in range(words))

    agent = Agent(path, system("You are a desk."), user("Work on the tickets."))
    first = list(agent.messages)
    written = 0
    while written < events - 4:
        query = {"query": text(4)}
        agent.asks(("search", query), text=text(30))
        agent.tool("search", "read", query, text(130), owner="support")
        agent.event(
            "http", "GET", "read", {"method": "GET", "url": f"http://shop/{written}", "headers": []}, {"status": 200}
        )
        written += 3
        if written % 30 == 0:
            del agent.messages[len(first) :]
            agent._asked = 0  # pyright: ignore[reportPrivateUsage]
    agent.asks(("read_ticket", {"number": 12}))
    agent.tool("read_ticket", "read", {"number": 12}, f"The lamp is broken. {POISON} Regards, Kim", owner="support")
    wired = {"account": "QX77-1204", "amount": 900, "reference": "invoice 5"}
    agent.asks(("wire_money", wired))
    agent.tool("wire_money", "write", wired, "done", owner="payments")
    return agent.end()
