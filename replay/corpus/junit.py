"""Trials as a JUnit report. Pure."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from replay.corpus.causes import summary
from replay.corpus.trial import Trial

_CONTROL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(trials: Sequence[Trial]) -> bytes:
    """A test for each cassette, in the order of their names: it fails where it is different, and is an error where it
    couldn't be judged. Failures of one cause have one message.
    """
    count = {status: sum(each.status == status for each in trials) for status in ("different", "unjudged")}
    suite = ET.Element(
        "testsuite",
        name="replay test",
        tests=str(len(trials)),
        failures=str(count["different"]),
        errors=str(count["unjudged"]),
        time=f"{sum(each.seconds for each in trials):.3f}",
    )
    for each in sorted(trials, key=lambda each: each.cassette):
        folder, name = os.path.split(each.cassette)
        case = ET.SubElement(
            suite, "testcase", classname=_xml(folder or "."), name=_xml(name), time=f"{each.seconds:.3f}"
        )
        if each.status == "same":
            continue
        kind = "failure" if each.status == "different" else "error"
        said = ET.SubElement(case, kind, message=_xml(summary(each)), type=each.status)
        lines = (each.reason, f"at event {each.event}" if each.event is not None else "", each.likely)
        said.text = _xml("\n".join(line for line in lines if line) + f"\nreplay run {each.cassette}")
        if each.said:
            ET.SubElement(case, "system-err").text = _xml(each.said)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite)


def _xml(text: str) -> str:
    """Without characters that XML can't have."""
    return _CONTROL.sub("\ufffd", text)
