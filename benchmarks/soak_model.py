"""The model of `benchmarks.soak`: says the word that it was asked about, 20 ms later. Serves until its input ends."""

from __future__ import annotations

import asyncio
import json
import re
import sys

DELAY = 0.02
_WORD = re.compile(rb"word--?\d+-\d+")
_SIZE = re.compile(rb"(?i)content-length: (\d+)")


def _answer(body: bytes) -> bytes:
    found = _WORD.search(body)
    word = found[0].decode() if found else ""
    choice = {"index": 0, "message": {"role": "assistant", "content": word}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    said = {"id": f"chatcmpl-{word}", "object": "chat.completion", "created": 1760000000, "model": "soak"}
    return json.dumps({**said, "choices": [choice], "usage": usage}).encode()


class _Model(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._got = b""

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, end, rest = self._got.partition(b"\r\n\r\n")
        size = _SIZE.search(head)
        if end and size is not None and len(rest) >= int(size[1]):
            self._got = b""
            asyncio.get_running_loop().call_later(DELAY, self._say, _answer(rest))

    def _say(self, body: bytes) -> None:
        if not self._transport.is_closing():
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Model, "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
