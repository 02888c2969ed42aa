"""Which licences a distribution may have that comes along with `pip install agent-replay`."""

from __future__ import annotations

import re
from typing import Any

ALLOWED = ("MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "PSF-2.0", "ISC", "MPL-2.0", "Python-2.0", "0BSD")
"""Permissive ones, and MPL 2.0: it asks something only of who changes its files."""

SAID = {"License :: OSI Approved :: Apache Software License": "Apache-2.0", "Apache 2.0": "Apache-2.0"}
"""Names that aren't SPDX's."""

READ = {"protobuf": "BSD-3-Clause"}
"""Distributions whose metadata has no licence: what their LICENSE file is, as somebody has read it."""


def unknown(component: dict[str, Any]) -> str | None:
    """What is wrong with a component of a CycloneDX document; None where nothing is.

    Of several licences that are said to be alternatives (`OR`, or listed one by one) one has to be allowed; of those
    that hold together (`AND`) all.

    Example:
        >>> unknown({"name": "x", "licenses": [{"expression": "GPL-3.0-only OR MIT"}]})
        >>> unknown({"name": "x", "licenses": [{"expression": "GPL-3.0-only AND MIT"}]})
        'x: GPL-3.0-only AND MIT'
    """
    name = str(component["name"])
    said = [_said(each) for each in component.get("licenses", [])] or [READ.get(name, "no licence")]
    if any(_allowed(SAID.get(each, each)) for each in said):
        return None
    return f"{name}: {', '.join(said)}"


def _said(licence: dict[str, Any]) -> str:
    inner = licence.get("license", {})
    return str(licence.get("expression") or inner.get("id") or inner.get("name") or "no licence")


def _allowed(expression: str) -> bool:
    return any(
        all(part.strip("() ") in ALLOWED for part in re.split(r"\bAND\b", alternative))
        for alternative in re.split(r"\bOR\b", expression)
    )
