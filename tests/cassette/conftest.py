"""Recordings of tests are small, and small ones aren't packed (`sealing.PACK_FROM`): here they are."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from replay.cassette import sealing

NOT_PACKED = sealing.PACK_FROM


@pytest.fixture(autouse=True, scope="module")
def _packed() -> Generator[None]:  # pyright: ignore[reportUnusedFunction]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "PACK_FROM", 0)
        yield
