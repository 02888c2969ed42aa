"""The application of `benchmarks.soak`: an agent that asks a model, calls a tool, and asks again."""

from __future__ import annotations

import os
from typing import Any

from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import replay

client = AsyncOpenAI(base_url=os.environ["SOAK_MODEL"], api_key="none", max_retries=0, timeout=300)


@replay.tool
async def look_up(word: str) -> str:
    """Some text with that word."""
    return f"About {word}: " + "nothing is known of it. " * 40


async def agent(request: Request) -> JSONResponse:
    """Two turns."""
    word = (await request.json())["word"]
    messages: list[Any] = [{"role": "user", "content": f"Tell me about {word}."}]
    said: list[str | None] = []
    for _ in range(2):
        answer = await client.chat.completions.create(model="soak", messages=messages)
        said.append(answer.choices[0].message.content)
        messages.append({"role": "assistant", "content": said[-1]})
        messages.append({"role": "user", "content": await look_up(word)})
    return JSONResponse({"said": said})


bare = Starlette(routes=[Route("/agent", agent, methods=["POST"])])
app: Any = replay.asgi(bare) if os.environ["SOAK_RECORDED"] else bare
