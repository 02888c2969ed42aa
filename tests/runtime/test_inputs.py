"""Standard input is recorded: a replay needs none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import record, replays

SOURCES = {
    "input": """
        name = input("name? ")
        print("hello", name, input())
        try:
            while True:
                print(input("> "))
        except EOFError as end:
            print("eof", end)
    """,
    "lines": """
        import sys
        print(repr(sys.stdin.readline()), repr(sys.stdin.read(3)))
        for line in sys.stdin:
            print(repr(line))
        print(repr(sys.stdin.read()), repr(sys.stdin.readline()))
    """,
    "readlines": "import sys\nprint(sys.stdin.readlines())\n",
    "all": "import sys\nprint(repr(sys.stdin.read()))\n",
    "bytes": """
        import sys
        print(sys.stdin.buffer.readline(), sys.stdin.buffer.read(2))
        for line in sys.stdin.buffer:
            print(line)
    """,
    "bytes in other ways": """
        import sys
        into = bytearray(3)
        print(sys.stdin.buffer.readinto(into), into)
        print(sys.stdin.buffer.read1(4), sys.stdin.buffer.peek(1)[:1], sys.stdin.buffer.readlines())
    """,
    "fileinput": """
        import fileinput
        for line in fileinput.input():
            print(fileinput.lineno(), line, end="")
    """,
    "os.read": "import os\nprint(os.read(0, 100))\n",
    "thread": """
        import threading
        t = threading.Thread(target=lambda: print(input())); t.start(); t.join()
        import asyncio
        async def main():
            print(await asyncio.to_thread(input))
            print(await asyncio.get_running_loop().run_in_executor(None, input, "? "))
        asyncio.run(main())
    """,
}
GIVEN = "zoë\nsecond\n\nlast without newline".encode()


@pytest.mark.parametrize("how", SOURCES)
def test_input_is_stored(tmp_path: Path, how: str) -> None:
    found = replays(tmp_path, SOURCES[how], times=1, stdin=GIVEN)
    assert any(event.name.startswith(("stdin", "input")) for event in found.events("file"))
    other = record(tmp_path, SOURCES[how], stdin=b"a\nb\nc\n", name="other")
    assert other.stdout != found.stdout, "it says what it read"
