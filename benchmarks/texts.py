"""Texts that pack like real ones.

Prose is the docstrings of the standard library: English that people wrote, about 1 MB of it, none used twice in a run.
(Words drawn at random from a list would pack twice as well as English does, random letters not at all.) Tool results
are JSON as search APIs give it: ids, scores and dates, which hardly pack, around titles and snippets of that prose.
"""

from __future__ import annotations

import ast
import functools
import json
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path


@functools.cache
def _prose() -> str:
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")) + sorted(
        path
        for name in ("asyncio", "email", "http", "importlib", "logging", "multiprocessing", "unittest", "idlelib")
        for path in (Path(sysconfig.get_paths()["stdlib"]) / name).rglob("*.py")
    )
    found: list[str] = []
    for file in files:
        try:
            tree = ast.parse(file.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                text = ast.get_docstring(node)
                if text and len(text) > 60:
                    found.append(re.sub(r"\s+", " ", text))
    return "\n\n".join(found)


class Texts:
    """A stream of prose, and results made of it.

    Args:
        seed: of ids and numbers.
    """

    def __init__(self, seed: int = 1) -> None:
        self._chance = random.Random(seed)
        self._at = 0

    def prose(self, size: int) -> str:
        """The next `size` characters of English."""
        text = _prose()
        if self._at + size > len(text):
            self._at = 0
        piece = text[self._at : self._at + size]
        self._at += size
        return piece

    def result(self, size: int) -> str:
        """About `size` characters of JSON: what a search tool answers."""
        chance = self._chance
        hits = [
            {
                "id": f"doc_{chance.getrandbits(64):016x}",
                "title": self.prose(48).replace("\n", " "),
                "url": f"https://kb.example.com/articles/{chance.randrange(10**6)}",
                "score": round(chance.random(), 6),
                "updated": f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}T08:30:00Z",
                "snippet": self.prose(270),
            }
            for _ in range(max(1, size // 500))
        ]
        return json.dumps({"total": chance.randrange(10**4), "hits": hits})


def steps(seed: int = 1) -> Iterator[tuple[str, str]]:
    """W1, step by step: an answer of 1 KB and the tool's result of 4 KB."""
    texts = Texts(seed)
    while True:
        yield texts.prose(1000), texts.result(4000)
