"""Numbers of call sites, each announced in the cassette before its first use."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import TYPE_CHECKING

from replay.cassette.writer import Writer

if TYPE_CHECKING:
    from replay.cassette.ring import Ring


class Places:
    """The call sites of one recording. Whoever asks for a number holds the recorder's lock.

    Attributes:
        known: (number, code) by the code's id and the instruction's offset; the code is kept, so its id stays its own.
    """

    def __init__(self, writer: Writer | Ring) -> None:
        self.known: dict[tuple[int, int], tuple[int, CodeType]] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._writer = writer

    def of(self, frame: FrameType | None) -> int | None:
        """The number of where that frame is."""
        if frame is None:
            return None
        code = frame.f_code
        place = (id(code), frame.f_lasti)  # finding the line costs ten times as much
        known = self.known.get(place)
        if known is None:
            number = self.number(code.co_filename, frame.f_lineno, code.co_qualname)
            known = self.known[place] = (number, code)
        return known[0]

    def number(self, file: str, line: int, function: str) -> int:
        """The number of that line."""
        key = (file, line)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._numbers)
            self._writer.site(number, file, line, function)
        return number

    def known_as(self, number: int, file: str, line: int) -> None:
        """That line has been announced under that number."""
        self._numbers[file, line] = number
