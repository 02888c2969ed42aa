"""Who may ask what of the viewer's server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.viewer.guard import METHODS, behind, refused

OWN = {"host": "127.0.0.1:8080"}


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", OWN, None),
        ("HEAD", {"host": "localhost:8080"}, None),
        ("GET", {**OWN, "origin": "http://127.0.0.1:8080", "sec-fetch-site": "same-origin"}, None),
        ("GET", {**OWN, "sec-fetch-site": "none"}, None),
        ("POST", OWN, 405),
        ("OPTIONS", OWN, 405),
        ("GET", {}, 421),
        ("GET", {"host": "evil.example:8080"}, 421),
        ("GET", {"host": "127.0.0.1:8081"}, 421),
        ("GET", {"host": "127.0.0.1:8080.evil.example"}, 421),
        ("GET", {"host": "127.0.0.1"}, 421),
        ("GET", {**OWN, "origin": "null"}, 403),
        ("GET", {**OWN, "origin": "http://evil.example"}, 403),
        ("GET", {**OWN, "origin": "http://127.0.0.1:9999"}, 403),
        ("GET", {**OWN, "origin": "https://127.0.0.1:8080"}, 403),
        ("GET", {**OWN, "sec-fetch-site": "cross-site"}, 403),
        ("GET", {**OWN, "sec-fetch-site": "same-site"}, 403),
        ("GET", {**OWN, "content-length": "5"}, 413),
        ("GET", {**OWN, "transfer-encoding": "chunked"}, 413),
    ],
)
def test_only_the_own_page_is_answered(method: str, headers: dict[str, str], status: int | None) -> None:
    refusal = refused(method, headers, 8080)
    assert (refusal and refusal.status) == status


@given(st.sampled_from(METHODS), st.text(max_size=30))
def test_no_other_host_is_believed(method: str, host: str) -> None:
    known = host.lower() in ("127.0.0.1:8080", "localhost:8080")
    assert (refused(method, {"host": host}, 8080) is None) == known


@given(st.text(), st.text(max_size=20))
def test_a_path_without_the_token_leads_nowhere(path: str, rest: str) -> None:
    assert behind(f"/token/{rest}", "token") == rest
    if not path.startswith("/token/"):
        assert behind(path, "token") is None
