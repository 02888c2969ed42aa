"""The fixtures of `tests/support`."""

from tests.support.plugin import random_server, server_url

__all__ = ["random_server", "server_url"]
