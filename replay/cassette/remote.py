"""Cassettes at URLs: read in ranges, a block at a time, so that looking at one costs what is looked at.

S3, Google's and Azure's storage and HTTP through obstore; whatever else fsspec knows (`sftp://`, `memory://`) through
that; `file://` is a path. Credentials and endpoints come from where these take them: the environment.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from replay.cassette.lru import Recent
from replay.cassette.source import ByteSource, FileSource
from replay.cassette.urls import url_of
from replay.model.errors import CassetteMissing, CassetteUnreadable

BLOCK: Final = 64 * 1024
_KEPT: Final = 128
_RETRIES: dict[str, Any] = {"max_retries": 3, "retry_timeout": timedelta(seconds=30)}
_PIECE: Final = 4 << 20
_OBJECTS: Final = frozenset(("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "http", "https"))
_EXTRA: Final = "pip install 'agent-replay[remote]'"


class Store(Protocol):
    """What holds objects."""

    def size(self, key: str) -> int: ...

    def read(self, key: str, start: int, end: int) -> bytes: ...

    def names(self, prefix: str) -> list[str]: ...


def source(url: str) -> ByteSource:
    """The bytes at a URL.

    Raises:
        CassetteMissing: nothing is there. CassetteUnreadable: no access; no package for such URLs.
    """
    if url.startswith("file://"):
        return FileSource(unquote(urlsplit(url).path))
    return UrlSource(url)


def listed(url: str) -> list[str]:
    """The URLs of the cassettes in a folder, by name. Raises as `source`."""
    folder = url.rstrip("/") + "/"
    if url.startswith("file://"):
        where = unquote(urlsplit(url).path)
        with _told(url):
            names = os.listdir(where)
    else:
        with _told(url):
            store, key = _store(folder)
            names = [name.removeprefix(key) for name in store.names(key)]
    return [folder + name for name in sorted(names) if name.endswith(".cassette") and "/" not in name]


class UrlSource:
    """An object in a store, read in blocks; those read last are kept."""

    def __init__(self, url: str) -> None:
        self.name = url
        with _told(url):
            self._store, self._key = _store(url)
            self.size = self._store.size(self._key)
        self._blocks: Recent[int, bytes] = Recent(_KEPT)

    def read_at(self, offset: int, count: int) -> bytes:
        end = min(offset + count, self.size)
        if offset >= end:
            return b""
        first, last = offset // BLOCK, (end - 1) // BLOCK
        missing = [number for number in range(first, last + 1) if self._blocks.get(number) is None]
        if not missing:
            data = b"".join(self._blocks.get(number) or b"" for number in range(first, last + 1))
            return data[offset - first * BLOCK : end - first * BLOCK]
        begin = first * BLOCK
        with _told(self.name):
            data = self._store.read(self._key, begin, min((last + 1) * BLOCK, self.size))
        for number in range(first, last + 1):
            self._blocks.put(number, data[number * BLOCK - begin : (number + 1) * BLOCK - begin])
        return data[offset - begin : end - begin]

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def fetched(name: str) -> Generator[tuple[str, str]]:
    """The URL that `name` is, and a copy of what is there, 0600 and as encrypted as it is, until the block ends.

    For a replay, which reads all of it, where no network is. Raises as `source`.
    """
    url = url_of(name) or name
    there = source(url)
    folder = tempfile.mkdtemp(prefix="replay-")
    try:
        path = os.path.join(folder, os.path.basename(urlsplit(url).path) or "x.cassette")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
            copy.writelines(there.read_at(at, _PIECE) for at in range(0, there.size, _PIECE))
        yield url, path
    finally:
        there.close()
        shutil.rmtree(folder, ignore_errors=True)


class _Objects:
    """Through obstore."""

    def __init__(self, root: str) -> None:
        self._module: Any = import_module("obstore")
        options = {"allow_http": True} if _plain_http(root) else {}
        self._store: Any = import_module("obstore.store").from_url(root, client_options=options, retry_config=_RETRIES)

    def size(self, key: str) -> int:
        return int(self._module.head(self._store, key)["size"])

    def read(self, key: str, start: int, end: int) -> bytes:
        return bytes(self._module.get_range(self._store, key, start=start, end=end))

    def names(self, prefix: str) -> list[str]:
        return [str(entry["path"]) for entry in self._module.list_with_delimiter(self._store, prefix=prefix)["objects"]]

    def put(self, path: str, key: str) -> bool:
        exists: Any = import_module("obstore.exceptions").AlreadyExistsError
        with open(path, "rb") as data:
            try:
                self._module.put(self._store, key, data.read(), mode="create", use_multipart=False)
            except exists:
                return False
        return True


def _plain_http(root: str) -> bool:
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or ""
    return root.startswith("http://") or endpoint.startswith("http://")


class _Files:
    """Through fsspec."""

    def __init__(self, url: str) -> None:
        self._files: Any = import_module("fsspec.core").url_to_fs(url)[0]

    def size(self, key: str) -> int:
        return int(self._files.size(key))

    def read(self, key: str, start: int, end: int) -> bytes:
        return bytes(self._files.cat_file(key, start=start, end=end))

    def names(self, prefix: str) -> list[str]:
        return [str(name) for name in self._files.ls(prefix, detail=False)]


def _store(url: str) -> tuple[Store, str]:
    """What holds it, and its name there."""
    parts = urlsplit(url)
    if parts.scheme in _OBJECTS:
        return _Objects(f"{parts.scheme}://{parts.netloc}"), unquote(parts.path).lstrip("/")
    files = _Files(url)
    key = str(import_module("fsspec.core").url_to_fs(url)[1])
    return files, key + ("/" if url.endswith("/") and not key.endswith("/") else "")


@contextmanager
def _told(url: str) -> Generator[None]:
    """Whatever these libraries raise, in our words."""
    try:
        yield
    except ImportError as error:
        raise CassetteUnreadable(f"can't read {url}: {error}", hint=_EXTRA) from None
    except FileNotFoundError:
        raise CassetteMissing(f"no such cassette: {url}") from None
    except Exception as error:
        said = str(error).strip().splitlines()
        raise CassetteUnreadable(f"can't read {url}: {said[0] if said else type(error).__name__}") from None


def put(path: str, url: str) -> bool:
    """Store the file at `path` at a URL, whole or not at all; False where something is there already.

    Raises:
        CassetteMissing: there is no such file. CassetteUnreadable: the store doesn't take it.
    """
    if not os.path.isfile(path):
        raise CassetteMissing(f"no such cassette: {path}")
    parts = urlsplit(url)
    with _told(url):
        if parts.scheme == "file":
            return _put_file(path, unquote(parts.path))
        if parts.scheme in _OBJECTS:
            return _Objects(f"{parts.scheme}://{parts.netloc}").put(path, unquote(parts.path).lstrip("/"))
        files: Any = import_module("fsspec.core").url_to_fs(url)[0]
        if files.exists(url):
            return False
        files.put_file(path, url)
    return True


def _put_file(path: str, target: str) -> bool:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    beside = f"{target}.{os.getpid()}"
    try:
        with open(path, "rb") as data, open(os.open(beside, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as copy:
            shutil.copyfileobj(data, copy)
            copy.flush()
            os.fsync(copy.fileno())
        os.link(beside, target)
    except FileExistsError:
        return False
    finally:
        if os.path.exists(beside):
            os.unlink(beside)
    return True
