"""Questions about cassettes, each with a JSON answer: one table (`replay.queries.table`), and what the answers are
made of. The command line, the MCP server, the viewer are doors to it.

    library = Library([Path(".replay")])
    ask(library, "show", {"cassette": "latest", "kind": "tool", "limit": 20})
"""

from __future__ import annotations
