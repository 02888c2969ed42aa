"""Whose code a frame belongs to; which line crossed the boundary."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from types import CodeType, FrameType
from typing import Any

import click
import pytest

import replay.demo.agent as demo
from replay.boundary import sites

SOURCE = "def cross():\n    return (\n        probe()\n    )\n"


def frame_of(file: str, back: str | None = None) -> FrameType:
    """A frame of code in that file, called from code in another."""
    names: dict[str, Any] = {"probe": sys._getframe}  # pyright: ignore[reportPrivateUsage]
    exec(compile(SOURCE, file, "exec"), names)
    if back is not None:
        outer: dict[str, Any] = {"probe": names["cross"]}
        exec(compile(SOURCE, back, "exec"), outer)
        return outer["cross"]()  # type: ignore[no-any-return]
    return names["cross"]()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("file", "library"),
    [
        (json.__file__, True),
        (os.path.join(sysconfig.get_paths()["stdlib"], "lib-dynload", "x.so"), True),
        (str(click.__file__), True),
        ("/usr/lib/python3/dist-packages/apt/cache.py", True),
        (sites.__file__, True),
        (__file__, False),
        ("/home/me/agent.py", False),
        ("/home/me/my-site-packages/agent.py", False),
        ("/home/me/app.pyz/agent/main.py", False),
        ("/env/lib/python3.11/site-packages/lib.egg/lib/core.py", True),
        ("<string>", False),
        ("<stdin>", False),
        ("<frozen importlib._bootstrap>", True),
        ("<attrs generated init agent.Order>", True),
        ("agent.py", False),
    ],
)
def test_library_and_program(file: str, library: bool) -> None:
    assert sites.is_library(file) is library


def test_the_demo_is_a_program() -> None:
    assert not sites.is_ours(str(demo.__file__))
    assert not sites.is_library(str(demo.__file__))
    assert sites.is_ours(sites.__file__)


def test_the_innermost_frame_of_the_program() -> None:
    frame = frame_of(json.__file__, "/home/me/agent.py")
    found = sites.program_frame(frame)
    assert found is not None
    assert (found.f_code.co_filename, found.f_code.co_name) == ("/home/me/agent.py", "cross")
    assert sites.program_frame(found) is found


def test_where_all_is_library_code_the_outermost_that_is_not_ours() -> None:
    frame = frame_of(sites.__file__, json.__file__)
    chain: list[FrameType] = []
    walk: FrameType | None = frame
    while walk is not None and walk.f_code.co_filename != __file__:
        chain.append(walk)
        walk = walk.f_back
    assert [each.f_code.co_filename for each in chain] == [sites.__file__, json.__file__]
    assert sites.program_frame(None) is None
    found = sites.program_frame(frame)
    assert found is not None
    assert found.f_code.co_filename == __file__


def test_caller() -> None:
    def ours() -> FrameType | None:
        return sites.caller()

    found = ours()
    assert found is sys._getframe()  # pyright: ignore[reportPrivateUsage]


def test_lines_of_offsets() -> None:
    """As the interpreter tells them for every instruction that has a line."""
    names: dict[str, Any] = {}
    exec(compile(SOURCE, "x.py", "exec"), names)
    code: CodeType = names["cross"].__code__
    for start, end, line in code.co_lines():
        for lasti in range(start, end, 2):
            if line is not None:
                assert sites.line_of(code, lasti) == line
    assert sites.line_of(code, 10_000) == list(code.co_lines())[-1][2]
    frame = frame_of("/home/me/agent.py")
    assert sites.line_of(frame.f_code, frame.f_lasti) == frame.f_lineno
