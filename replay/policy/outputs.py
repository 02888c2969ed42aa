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
            "relatedLocations": [_location(path, event) for event in dict.fromkeys(each.related)],
            "properties": {"event": each.event} | ({} if each.bits is None else {"bits": round(each.bits, 2)}),
        }
        for path, deviations in found.items()
        for each in deviations
    ]
    driver = {"name": "agent-replay", "rules": [{"id": rule} for rule in rules]}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _location(path: str, event: int | None) -> dict[str, Any]:
    where: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": quote(path, errors="surrogateescape")}}}
    if event is not None:
        where["logicalLocations"] = [{"fullyQualifiedName": f"event {event}", "kind": "event"}]
    return where


def junit(found: Mapping[str, Sequence[Deviation]], undecided: Mapping[str, Mapping[str, str]]) -> bytes:
    """A JUnit report: a test for each cassette, which fails by its errors; undecided rules are errors of the test.

    Warnings and notes are its output. `testsuites` is the root, since some readers look for no other.
    """
    failing = [path for path, each in found.items() if any(one.severity == "error" for one in each)]
    unsure = [path for path in found if undecided.get(path) and path not in failing]
    counts = {"tests": str(len(found)), "failures": str(len(failing)), "errors": str(len(unsure)), "skipped": "0"}
    root = ET.Element("testsuites", counts)
    suite = ET.SubElement(root, "testsuite", counts, name="replay check")
    for path, deviations in found.items():
        case = ET.SubElement(suite, "testcase", classname="replay.check", name=_xml(path), time="0")
        broken = [each for each in deviations if each.severity == "error"]
        if broken:
            _told(case, "failure", broken[0].why, broken[0].rule, _lines(broken))
        elif undecided.get(path):
            _told(case, "error", "undecided", "undecided", [f"{rule}: {why}" for rule, why in undecided[path].items()])
        rest = [each for each in deviations if each.severity != "error"]
        if rest:
            ET.SubElement(case, "system-out").text = _xml("\n".join(_lines(rest)))
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root)


def _told(case: ET.Element, kind: str, message: str, rule: str, lines: Sequence[str]) -> None:
    ET.SubElement(case, kind, message=_xml(message), type=_xml(rule)).text = _xml("\n".join(lines))


def _lines(found: Sequence[Deviation]) -> list[str]:
    return [f"{each.severity}: event {each.event}: {each.rule}: {each.why}" for each in found]


def _xml(text: str) -> str:
    """Without characters that XML can't have."""
    return _CONTROL.sub("\ufffd", text)
