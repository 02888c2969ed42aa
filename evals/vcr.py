"""vcr's files through `import vcr` and `export vcr`, and replayed by vcrpy with the clients that recorded them.

python -m evals.vcr [--data DIR]     how many import, and how many answers reach the client byte by byte

What has to come is read here by itself, with PyYAML, and not by our reader. LLM traffic goes through the SDKs of OpenAI
and Anthropic, the rest through httpx2 and requests. vcrpy compares method, address and body, and lets nothing out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import anthropic
import httpx2
import openai
import requests
import vcr  # type: ignore[import-untyped]
import yaml

from replay.cassette.cassette import load
from replay.interop import formats
from replay.semantics.loose import arr, obj

SAMPLE = Path(__file__).parents[1] / "fixtures" / "wire"
_LLM = re.compile(r"/(chat/completions|completions|responses|embeddings|messages)$")
_DROPPED = frozenset(
    ("content-length", "host", "accept-encoding", "connection", "transfer-encoding", "content-encoding")
)


def proved(file: Path, folder: Path, told: Counter[str]) -> list[str]:
    """One file there and back; what was wrong with it. `told` counts."""
    told["files"] += 1
    (run,) = formats.importer("vcr")(file)
    cassette, exported = folder / "x.cassette", folder / "x.yaml"
    for each in (cassette, exported):
        each.unlink(missing_ok=True)
    events = run.write(cassette)
    told["imported"] += 1
    source = cast("list[dict[str, Any]]", _read(file)["interactions"])
    wrong = [] if events == len(source) else [f"{events} events of {len(source)} interactions"]
    with load(cassette) as opened:
        formats.exporter("vcr")(opened, exported)
        stored = [event.body for event in opened.events if event.kind == "http"]
    http = [each for each in source if "uri" in each.get("request", ())]
    if http:
        told["with http"] += 1
    with vcr.use_cassette(str(exported), record_mode="none", match_on=("method", "uri", "body")):  # pyright: ignore[reportUnknownMemberType]
        for number, asked in enumerate(http):
            told["answers"] += 1
            body = _body(asked["request"], packed=True)
            if "parsed_body" not in asked["request"] and (stored[number] or b"") != body:
                told["asked with its secret replaced"] += 1
                body = stored[number] or b""
            problem = _asked(asked, body, told)
            if problem is None:
                told["byte by byte"] += 1
            else:
                wrong.append(f"interaction {number}: {problem}")
    return wrong


def _asked(each: dict[str, Any], body: bytes, told: Counter[str]) -> str | None:
    """Ask for it again; what is wrong with the answer."""
    request, response = each["request"], each["response"]
    try:
        if request.get("body", b"") is None:  # urllib3 records no body so, httpx an empty one
            got: Any = requests.request(request["method"], request["uri"], headers=_headers(request), timeout=10)
        else:
            got = _send(request["method"], request["uri"], _headers(request), body, told)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:300]
    if got.status_code != response["status"]["code"]:
        return f"status {got.status_code}"
    if "parsed_body" in response:  # the recorder has thrown the bytes away
        same = json.loads(got.content or b"null") == response["parsed_body"]
    else:
        same = got.content == _body(response)
    return None if same else f"{len(got.content)} bytes, another body"


def _send(method: str, url: str, headers: dict[str, str], body: bytes, told: Counter[str]) -> httpx2.Response:
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}"
    try:
        sent: Any = json.loads(body) if body else None
    except ValueError:
        sent = None
    if _LLM.search(parts.path) and method == "POST" and isinstance(sent, dict):
        told["through an SDK"] += 1
        path = url[len(base) :]
        kind: Any = anthropic.Anthropic if parts.path.endswith("/messages") else openai.OpenAI
        client = kind(api_key="x", base_url=base, max_retries=0)
        try:
            answer: httpx2.Response = client.post(path, body=sent, cast_to=httpx2.Response)
            return answer
        except (openai.APIStatusError, anthropic.APIStatusError) as error:
            failed: httpx2.Response = error.response
            return failed
    with httpx2.Client() as client:
        return client.request(method, url, headers=headers, content=body)


def _read(file: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader))


def _headers(request: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, values in request["headers"].items():
        value: Any = arr(values)[0] if arr(values) else values
        if name.lower() not in _DROPPED:
            found[name] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return found


def _body(message: dict[str, Any], *, packed: bool = False) -> bytes:
    """As a client sees it, or as it was sent."""
    if "parsed_body" in message:
        return json.dumps(message["parsed_body"], ensure_ascii=False).encode()
    body: Any = message.get("body")
    body = obj(body).get("string") if isinstance(body, dict) else body
    raw = body.encode() if isinstance(body, str) else cast("bytes", body or b"")
    return gzip.decompress(raw) if not packed and raw.startswith(b"\x1f\x8b") else raw


def files(directory: Path) -> list[Path]:
    """All that vcr wrote."""
    return [run.file for run in formats.importer("vcr")(directory)]


def report(found: Iterable[Path]) -> Iterator[str]:
    """Lines: what was wrong with which, and the figures."""
    told: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for file in found:
            for line in proved(file, Path(folder), told):
                yield f"{file.name}: {line}"
    for name, count in told.items():
        yield f"{name:<46} {count:>5}"


def main() -> int:
    """Prints the figures; 1 where something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m evals.vcr", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("REPLAY_EVAL_DATA", SAMPLE)))
    lines = list(report(files(parser.parse_args().data)))
    print("\n".join(lines))  # noqa: T201
    return int(any(": " in line for line in lines))


if __name__ == "__main__":
    sys.exit(main())
