"""What the fuzzer does to files of others' formats, and what reads them: every importer, and the cassette it made.

Most cases alter the document and not its bytes: values of other kinds in places where something is expected, at any
depth, texts that no text should be. Some are bombs: short files that say long things.
"""

# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false, reportUnknownArgumentType=false

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from replay.cassette.cassette import load
from replay.interop import formats
from replay.model.errors import ReplayError

ROOT = Path(__file__).parents[2] / "fixtures"
LARGEST = 60_000


def corpus(folder: Path) -> list[Path]:
    """Files of every format; cassettes exported as JSON among them."""
    files = [file for kind in ("wire", "transcripts") for file in (ROOT / kind).rglob("*")]
    found = [
        file for file in sorted(files) if file.is_file() and file.suffix != ".md" and file.stat().st_size < LARGEST
    ]
    for number, path in enumerate(sorted((ROOT / "cassettes").rglob("*.cassette"))):
        for suffix in ("json", "jsonl"):
            try:
                with load(path) as cassette:
                    out = folder / f"{number}.{suffix}"
                    formats.exporter("json")(cassette, out)
                    found.append(out)
            except ReplayError:
                continue
    return found


def altered(path: Path, chance: random.Random, bytes_altered: Callable[[bytes, random.Random], bytes]) -> bytes:
    """A file that isn't what it was."""
    if chance.randrange(50) == 0:
        return chance.choice(BOMBS)()
    data = path.read_bytes()
    if chance.randrange(4) == 0 or path.suffix in (".eval", ".gz"):
        data = bytes_altered(data, chance)
    elif path.suffix in (".yaml", ".yml"):
        document = yaml.load(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        data = _yaml(_document(document, chance), chance)
    elif path.suffix == ".jsonl":
        lines = [json.loads(line) for line in data.splitlines() if line]
        data = "\n".join(json.dumps(each) for each in _document(lines, chance)).encode("utf-8", "surrogatepass")
    else:
        data = json.dumps(_document(json.loads(data), chance), ensure_ascii=chance.random() < 0.5).encode(
            "utf-8", "surrogatepass"
        )
    return gzip.compress(data, 1) if chance.randrange(10) == 0 else data


def _document(value: Any, chance: random.Random) -> Any:
    """Some of its values replaced, at any depth; what holds them stays a list or a map at the top."""
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        holder, steps = value, chance.randrange(1, 12)
        for _ in range(steps):
            keys: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = chance.choice(keys)
            if isinstance(holder[key], (dict, list)) and holder[key] and chance.randrange(6):
                holder = holder[key]
                continue
            _change(holder, key, chance)
            break
    return value


def _change(holder: Any, key: Any, chance: random.Random) -> None:
    act = chance.randrange(5)
    if act == 0:
        del holder[key]
    elif act == 1 and isinstance(holder, dict):
        holder[chance.choice(STRANGE_KEYS)] = holder[key]
    elif act == 2:
        holder[key] = [holder[key], holder[key]]
    elif act == 3 and isinstance(holder, list):
        holder.insert(chance.randrange(len(holder) + 1), chance.choice(STRANGE)())
    else:
        holder[key] = chance.choice(STRANGE)()


STRANGE_KEYS = ("", "role", "$base64", "$int", "$object", "interactions", "attributes", "\ud800", "\x00", "9" * 300)


def _deep() -> Any:
    value: Any = []
    for _ in range(300):
        value = [value]
    return value


STRANGE: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: True, lambda: -1, lambda: 10**40, lambda: 1e308, lambda: float("nan"), lambda: "",
    lambda: "\ud800", lambda: "\x00\x1b[2J", lambda: "x" * 100_000, lambda: "AAAA=", list, dict,
    lambda: [[]], lambda: {"": None}, lambda: {"$base64": 1}, lambda: {"$delta": [9, 9, 9, ""]}, lambda: {"role": []},
    lambda: {"string": 5}, lambda: "9" * 5000, lambda: "2026-99-99T99:99:99Z", lambda: -(2**63) - 1, _deep,
    lambda: {"intValue": "x"}, lambda: {"arrayValue": {"values": 3}}, lambda: "attachment://0",
)  # fmt: skip


def _yaml(value: Any, chance: random.Random) -> bytes:
    """As vcr writes it; sometimes as JSON, sometimes with the tags of what must never be made."""
    try:
        text = yaml.dump(value, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), allow_unicode=True)
    except (yaml.YAMLError, UnicodeError):
        text = json.dumps(value, default=str)
    if chance.randrange(5) == 0:
        tag = chance.choice(
            ("!!python/object/apply:os.system ['true']", "!!timestamp x", "!!int x", "!x y", "*none", "&a")
        )
        text = text.replace("null", tag, 1)
    return text.encode("utf-8", "surrogatepass")


def yaml_aliases() -> bytes:
    """Nine levels of nine aliases: 400 million values."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    return "\n".join([*lines, "interactions: *a8"]).encode()


def yaml_itself() -> bytes:
    """It contains itself."""
    return b"interactions: &a [{request: *a, response: *a}]"


def yaml_deep() -> bytes:
    """Lists in lists."""
    return b"interactions: " + b"[" * 100_000


def yaml_many() -> bytes:
    """Millions of values, packed."""
    return gzip.compress(b"interactions:\n" + b"- {}\n" * 4_000_000, 1)


def yaml_long() -> bytes:
    """The same, plain: as large as a file may be before somebody wonders."""
    return b"interactions:\n" + b"- {}\n" * 500_001


def json_deep() -> bytes:
    """Objects in objects."""
    return b'{"messages": ' + b'[{"content": ' * 50_000


def json_many() -> bytes:
    """As many lists as there is room for, packed."""
    return gzip.compress(b'{"interactions": [' + b"[]," * 5_000_000 + b"[]]}", 1)


def json_number() -> bytes:
    """A number of a million digits."""
    return b'{"messages": [{"role": "user", "content": ' + b"9" * 1_000_000 + b"}]}"


def gzip_bomb() -> bytes:
    """1 GB of one answer's body, as 1 MB."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as file:
        file.write(b"interactions:\n- request: {method: GET, uri: 'http://a/', headers: {}, body: ''}\n")
        file.write(b"  response: {status: {code: 200, message: OK}, headers: {}, body: {string: '")
        for _ in range(64):
            file.write(b"x" * (16 << 20))
    return out.getvalue()


def body_bomb() -> bytes:
    """An answer whose body is packed: 300 MB."""
    packed = gzip.compress(bytes(300 << 20), 9)
    answer = {"status": {"code": 200, "message": "OK"}, "headers": {"content-encoding": ["gzip"]}}
    request: dict[str, Any] = {"method": "GET", "uri": "http://a/", "headers": {}, "body": None}
    return yaml.safe_dump(
        {"interactions": [{"request": request, "response": {**answer, "body": {"string": packed}}}]}
    ).encode()


def zip_bomb() -> bytes:
    """A log of Inspect that unpacks to 1 GB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("header.json", '{"eval": {"task": "x"}}')
        with archive.open("samples/1.json", "w") as member:
            member.write(b'{"messages": [{"role": "user", "content": "')
            for _ in range(64):
                member.write(b"x" * (16 << 20))
            member.write(b'"}]}')
    return out.getvalue()


def attachments() -> bytes:
    """A megabyte that a thousand messages name."""
    said = [{"role": "user", "content": "attachment://a"}] * 1000
    sample = {"messages": said, "attachments": {"a": "x" * (1 << 20)}}
    return json.dumps({"eval": {"task": "x"}, "samples": [sample]}).encode()


_BOMBS: tuple[Callable[[], bytes], ...] = (
    yaml_aliases, yaml_itself, yaml_deep, yaml_many, yaml_long, json_deep, json_many, json_number, gzip_bomb,
    body_bomb, zip_bomb, attachments,
)  # fmt: skip


class Bomb:
    """Made when it is first needed."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self.name = make.__name__
        self._make = make
        self._made = b""

    def __call__(self) -> bytes:
        """The file."""
        self._made = self._made or self._make()
        return self._made


BOMBS = tuple(map(Bomb, _BOMBS))


def read_all(file: Path) -> None:
    """By every importer; what it makes of it is read, and exported."""
    for name in formats.IMPORTERS:
        out = file.with_suffix(".imported")
        try:
            for run in list(formats.importer(name)(file))[:5]:
                run.write(out)
                _exported(out)
                out.unlink()
        except ReplayError:
            continue
        finally:
            out.unlink(missing_ok=True)


def _exported(path: Path) -> None:
    for name in formats.EXPORTERS:
        out = path.with_suffix(".exported")
        try:
            with load(path) as cassette:
                formats.exporter(name)(cassette, out)
        except ReplayError:
            continue
        finally:
            out.unlink(missing_ok=True)
