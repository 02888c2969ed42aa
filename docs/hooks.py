"""What the site has besides the files of docs/: the README as its first page, references made from the program.

mkdocs calls these (`hooks` in mkdocs.yml).
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import replay
import replay.testing
from replay_cli.render import manual

ROOT = Path(__file__).parents[1]
BELOW = {"README.md": "index.md", "CHANGELOG.md": "changes.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages of the repository's root, and what they are called on the site."""

_LINK = re.compile(
    r"(?P<code>^```.*?^```|^    .*?$|`[^`\n]+`)"
    r"|\[(?P<text>[^\]\n]*)\]\((?!https?:|#)(?P<to>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)",
    re.MULTILINE | re.DOTALL,
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that lie elsewhere or are made, and puts pages that nobody listed into the navigation."""
    for source, name in BELOW.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text("utf-8")))
    files.append(File.generated(config, "reference/commands.md", content=manual.page()))
    files.append(File.generated(config, "reference/python.md", content=python()))
    listed = set(_leaves(config.nav))
    (guides,) = (part["How to"] for part in config.nav or [] if isinstance(part, dict) and "How to" in part)
    guides.extend(sorted(file.src_uri for file in files.documentation_pages() if file.src_uri not in listed))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links between pages go where these are on the site; one to another file of the repository becomes its path."""
    own = page.file.src_uri
    source = next((ROOT / below for below, name in BELOW.items() if name == own), ROOT / "docs" / own)
    if own.startswith("reference/"):
        return markdown

    def found(match: re.Match[str]) -> str:
        if match["code"]:
            return match[0]
        target = (source.parent / match["to"]).resolve().relative_to(ROOT).as_posix()
        name = BELOW.get(target, target.removeprefix("docs/") if target.startswith("docs/") else None)
        if name is None or files.get_file_from_path(name) is None:
            return f"{match['text']} (`{target}`)"
        return f"[{match['text']}]({posixpath.relpath(name, posixpath.dirname(own) or '.')}{match['anchor'] or ''})"

    return _LINK.sub(found, markdown)


def python() -> str:
    """The page of what can be imported, out of the docstrings."""
    parts = ["# Python\n"]
    for module in (replay, replay.testing):
        parts.append(f"## {module.__name__}\n")
        parts += [f"::: {module.__name__}.{name}\n    options: {{heading_level: 3}}\n" for name in module.__all__]
    return "\n".join(parts)


def _leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    values = nav.values() if isinstance(nav, dict) else nav
    return [leaf for each in values for leaf in _leaves(each)]
