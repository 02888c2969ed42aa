"""A door for coding assistants: an MCP server on stdin and stdout whose tools are the queries (docs/mcp.md)."""

from __future__ import annotations
