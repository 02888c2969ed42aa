"""The peers without types, as they are: `vcr`, `vcr_request`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

vcr: Any = import_module("vcr")
vcr_request: Any = import_module("vcr.request").Request
