"""Deviations as SARIF (code scanning) and as JUnit (test reports). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote
from xml.etree import ElementTree as ET

from replay.policy.baseline import Deviation

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_CONTROL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sarif(found: Mapping[str, Sequence[Deviation]]) -> dict[str, Any]:
    """A SARIF 2.1.0 log; a cassette is the artifact, an event a logical location in it.

    Args:
        found: path of a cassette -> its deviations.
    """
    rules = sorted({each.rule for deviations in found.values() for each in deviations})
    results = [
        {
            "ruleId": each.rule,
            "ruleIndex": rules.index(each.rule),
            "level": each.severity,
            "message": {"text": each.why},
            "locations": [_location(path, each.event)],
            "relatedLocations": [_location(path, event) for event in each.related],
            "properties": {"event": each.event} | ({} if each.bits is None else {"bits": round(each.bits, 2)}),
        }
        for path, deviations in found.items()
        for each in deviations
    ]
    driver = {"name": "agent-replay", "rules": [{"id": rule} for rule in rules]}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _location(path: str, event: int | None) -> dict[str, Any]:
    where: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": quote(path)}}}
    if event is not None:
        where["logicalLocations"] = [{"fullyQualifiedName": f"event {event}", "kind": "event"}]
    return where


def junit(found: Mapping[str, Sequence[Deviation]], undecided: Mapping[str, Mapping[str, str]]) -> bytes:
    """A JUnit report: a test for each cassette, which fails by its errors; undecided rules are errors of the test."""
    suite = ET.Element("testsuite", name="replay check", tests=str(len(found)))
    failures = errors = 0
    for path, deviations in found.items():
        case = ET.SubElement(suite, "testcase", classname="replay.check", name=_xml(path))
        broken = [each for each in deviations if each.severity == "error"]
        if broken:
            failures += 1
            failure = ET.SubElement(case, "failure", message=_xml(broken[0].why), type=_xml(broken[0].rule))
            failure.text = _xml("\n".join(f"event {each.event}: {each.rule}: {each.why}" for each in broken))
        elif undecided.get(path):
            errors += 1
            error = ET.SubElement(case, "error", message="undecided")
            error.text = _xml("\n".join(f"{rule}: {why}" for rule, why in undecided[path].items()))
    suite.set("failures", str(failures))
    suite.set("errors", str(errors))
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite)


def _xml(text: str) -> str:
    """Without characters that XML can't have."""
    return _CONTROL.sub("\ufffd", text)
