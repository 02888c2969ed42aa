"""What a recorded value of unknown type is, said so that type checkers believe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard


def is_mapping(item: Any) -> TypeGuard[Mapping[Any, Any]]:
    """A mapping of any keys."""
    return isinstance(item, Mapping)


def is_sequence(item: Any) -> TypeGuard[Sequence[Any]]:
    """A list or tuple; no text."""
    return isinstance(item, (list, tuple))


def mapping(item: Any) -> Mapping[Any, Any]:
    """The mapping, or an empty one for anything else."""
    return item if is_mapping(item) else {}
