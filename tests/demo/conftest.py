"""The fixtures of `tests/support`."""

from tests.support.plugin import random_server, server_url, unproxied

__all__ = ["random_server", "server_url", "unproxied"]
