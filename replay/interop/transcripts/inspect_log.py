"""Logs of Inspect: `.json`, or `.eval`, a zip with a JSON for each sample. Read plainly; their library isn't needed.

    {"eval": {"model", "task", "model_generate_config"}, "samples": [{"id", "epoch", "messages", "attachments"}]}

A message's call is `{"id", "function", "arguments"}`; a tool's message may have `error` apart. `attachment://…` stands
for a text that the sample keeps once. Scores and targets stay outside.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from replay.interop.chat import PARAMETERS, Transcript, turns_of
from replay.interop.formats import room
from replay.model.errors import NotImportable
from replay.semantics.loose import arr, loads, obj, objs, string

MOST: Final = 512 << 20
"""Bytes that are unpacked of one log."""

_ATTACHED: Final = re.compile(r"attachment://(\w+)")
_SAMPLE: Final = re.compile(r"samples/.*\.json")


def runs(data: bytes, document: Any) -> list[Transcript]:
    """A run for each sample.

    Raises:
        NotImportable: a zip that can't be unpacked, or unpacks to more than `MOST`.
    """
    if data.startswith(b"PK\x03\x04"):
        head, samples = _unzipped(data)
    else:
        head, samples = obj(document), objs(obj(document).get("samples"))
    about = obj(head.get("eval"))
    if "task" not in about:
        return []
    config = obj(about.get("model_generate_config"))
    parameters = {name: config[name] for name in PARAMETERS if config.get(name) is not None}
    return [
        Transcript(
            "inspect",
            tuple(turns_of(list(_normal(sample)))),
            model=string(about.get("model")),
            tags={
                name: str(value)
                for name, value in (
                    ("task", about.get("task")),
                    ("sample", sample.get("id")),
                    ("epoch", sample.get("epoch")),
                )
                if isinstance(value, (str, int))
            },
            parameters=parameters,
        )
        for sample in samples
    ]


def _unzipped(data: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [each for each in archive.infolist() if _SAMPLE.fullmatch(each.filename)]
            names = [name for name in ("header.json", "_journal/start.json") if name in archive.namelist()]
            heads = [archive.getinfo(name) for name in names[:1]]
            most = left = room(len(data), MOST)
            texts: list[Any] = []
            for each in (*heads, *members):
                with archive.open(each) as member:
                    text = member.read(left + 1)  # what it says of its size isn't believed
                left -= len(text)
                if left < 0:
                    raise NotImportable(f"the log unpacks to more than {most >> 20} MB")
                texts.append(loads(text))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        what = f"the log can't be unpacked: {error}"
        raise NotImportable(what, hint="`inspect log convert --to json` writes one that can") from None
    return (obj(texts[0]) if heads else {}), objs(texts[len(heads) :])


def _normal(sample: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    put = _Attachments(obj(sample.get("attachments"))).put
    for message in map(put, objs(sample.get("messages"))):
        error = string(obj(message.get("error")).get("message"))
        calls = [
            {"id": call.get("id"), "function": {"name": call.get("function"), "arguments": call.get("arguments")}}
            for call in objs(message.get("tool_calls"))
        ]
        normal = {**message, "error": error, "content": list(_parts(message.get("content")))}
        if isinstance(message.get("content"), str):
            normal["content"] = message["content"]
        if message.get("role") == "tool":
            normal["name"] = message.get("function")
        yield {**normal, "tool_calls": calls} if calls else normal


def _parts(content: Any) -> Iterable[Any]:
    """Reasoning is what other formats call thinking."""
    for part in arr(content):
        if obj(part).get("type") == "reasoning":
            yield {"type": "thinking", "thinking": obj(part).get("reasoning")}
        else:
            yield part


class _Attachments:
    """Puts texts where they are referred to, up to `MOST` of them."""

    def __init__(self, texts: Mapping[str, Any]) -> None:
        self._texts = texts
        self._left = MOST

    def put(self, value: Any) -> Any:
        """The value with them; what a text itself refers to stays."""
        if isinstance(value, str):
            return _ATTACHED.sub(self._text, value) if "attachment://" in value else value
        if isinstance(value, list):
            return [self.put(item) for item in arr(value)]
        if isinstance(value, dict):
            return {key: self.put(item) for key, item in obj(value).items()}
        return value

    def _text(self, found: re.Match[str]) -> str:
        text = string(self._texts.get(found[1])) or found[0]
        self._left -= len(text)
        if self._left < 0:
            raise NotImportable(f"with its attachments the log has more than {MOST >> 20} MB")
        return text
