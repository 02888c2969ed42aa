"""Several headers of one name: one that is redacted stands for one value, not for all of them."""

from __future__ import annotations

import pytest

from replay.matching import Request, explain, same


def request(*values: str) -> Request:
    """A request with these values of one header."""
    return Request("http", "", {"method": "GET", "url": "https://x/", "headers": [["X-A", value] for value in values]})


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (("<redacted:0123456789ab>",), ("secret",), True),
        (("<redacted:0123456789ab>",), ("1", "1"), False),
        (("1, 1",), ("1", "1"), False),
        (("<redacted:0123456789ab>", "1"), ("2", "1"), True),
    ],
)
def test_as_many_as_there_are(one: tuple[str, ...], other: tuple[str, ...], alike: bool) -> None:
    assert same(request(*one), request(*other)) is alike
    assert bool(explain(request(*one), request(*other)).changes) is not alike
