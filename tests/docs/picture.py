"""A terminal as a picture: commands with the colours that they print, as SVG; `<desc>` has the same as plain text."""

from __future__ import annotations

import html
import io
import re

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

WIDTH = 100
# Nothing is fetched by who looks at it, and a picture in a README couldn't: the font is the reader's own.
_FORMAT = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "    <style>", "    <desc>{{desc}}</desc>\n    <style>", 1
)
_DESC = re.compile(r"<desc>(.*?)</desc>", re.DOTALL)


def drawn(screens: list[tuple[str, list[str]]]) -> str:
    """Commands, each with the lines that it printed (with their escapes), as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), markup=False, emoji=False, highlight=False)
    for command, lines in screens:
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")), soft_wrap=False)
        console.print(Text.from_ansi("\n".join([*lines, ""])))
    desc = html.escape("\n".join(plain(screens)), quote=False).replace("{", "{{").replace("}", "}}")
    svg = console.export_svg(title="replay", code_format=_FORMAT.replace("{{desc}}", desc), unique_id="replay")
    return "".join(f"{line.rstrip()}\n" for line in svg.splitlines())


def plain(screens: list[tuple[str, list[str]]]) -> list[str]:
    """The same without colours."""
    return [
        line for command, lines in screens for line in [f"$ {command}", *(Text.from_ansi(each).plain for each in lines)]
    ]


def described(svg: str) -> list[str]:
    """What a picture shows, as lines."""
    found = _DESC.search(svg)
    return html.unescape(found[1]).splitlines() if found else []
