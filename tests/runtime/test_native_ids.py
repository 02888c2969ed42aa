"""Ids that native code makes are draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import replays


def test_uuid_utils(tmp_path: Path) -> None:
    pytest.importorskip("uuid_utils", reason="pip install 'agent-replay[frameworks]'")
    found = replays(
        tmp_path,
        """
        import uuid
        import uuid_utils
        from uuid_utils import compat, uuid7

        made = [uuid7(), uuid_utils.uuid4(), uuid_utils.uuid1(), uuid_utils.uuid6(), compat.uuid7(), compat.uuid4()]
        print(*made, uuid_utils.getnode(), type(made[0]) is uuid_utils.UUID, type(made[4]) is uuid.UUID)
        print(uuid7(timestamp=1, nanos=2), [one.version for one in made])
        """,
        varies=True,
    )
    assert "True True" in found.text
    assert "[7, 4, 1, 6, 7, 4]" in found.text
