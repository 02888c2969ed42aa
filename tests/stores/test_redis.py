"""redis, recorded at its commands against a real server, and replayed with the server gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.model.event import Event
from tests.stores.servers import redis_server
from tests.support.programs import Recorded, record, replays

SYNC = """
    import os, random, redis, threading
    r = redis.Redis(unix_socket_path=os.environ["SOCKET"])
    print(r.ping(), r.set("a", random.random()), r.get("a"), r.get("none"), r.info()["run_id"], r.time())
    print(r.hset("h", mapping={"x": 1, "y": b"\\xff"}), r.hgetall("h"), sorted(r.scan_iter("*")), r.config_get("save"))
    print(r.rpush("l", 1, 2, 3), r.blpop(["q", "l"], 1), r.blpop("q", 0.05))
    print(r.zadd("z", {"m": 1.5}), r.xadd("s", {"f": 1}))
    try:
        r.incr("h")
    except redis.ResponseError as error:
        print(type(error), error)
    with r.pipeline() as pipe:
        pipe.set("b", 1).incr("b").hgetall("h").get("a")
        print(pipe.execute())
    with r.pipeline(transaction=False) as pipe:
        pipe.incr("h"); pipe.get("b"); print(pipe.execute(raise_on_error=False))
        try:
            pipe.incr("h"); pipe.execute()
        except redis.ResponseError as error:
            print(error)
    def more(pipe):
        value = int(pipe.get("b"))
        pipe.multi(); pipe.set("b", value + 1); pipe.get("b")
    print(r.transaction(more, "b"))
    with r.pipeline() as pipe:
        pipe.watch("b"); r.set("b", 5)
        try:
            pipe.multi(); pipe.set("b", 6); print(pipe.execute())
        except redis.WatchError as error:
            print(error)
    with r.pipeline() as pipe:
        pipe.watch("b"); print(pipe.get("b"))
    script = r.register_script("return redis.call('GET', KEYS[1]) .. ARGV[1]")
    with r.pipeline() as pipe:
        script(keys=["b"], args=["?"], client=pipe)
        print(script(keys=["b"], args=["!"]), pipe.execute(), script.sha)
    with r.lock("lock", timeout=5) as lock:
        print(lock.owned(), r.get("lock"))
    said = r.pubsub()
    said.subscribe("c", **{"d": lambda message: print("handler", message)})
    print(said.get_message(timeout=1), said.get_message(timeout=1))
    r.publish("c", "hello"); r.publish("d", "there")
    print(said.get_message(timeout=1), said.get_message(timeout=1), said.get_message(timeout=0.01))
    said.unsubscribe(); print(said.get_message(timeout=1)); said.close()
    one = redis.Redis(unix_socket_path=os.environ["SOCKET"], decode_responses=True, single_connection_client=True)
    one.set_response_callback("GET", lambda value: ("mine", value))
    print(one.get("a"), one.zrange("z", 0, -1, withscores=True)); one.close()
    with r.monitor() as monitor:
        r.get("a"); print(monitor.next_command()["command"])
    def work(n):
        for _ in range(3): print(n, r.incrby("total", n), r.set(f"k{n}", n), r.get(f"k{n}"))
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    try:
        redis.Redis(host="127.0.0.1", port=1, retry=None).get("x")
    except redis.ConnectionError as error:
        print(type(error), error)
    try:
        r.set("x", object())
    except redis.DataError as error:
        print(error)
    r.close()
"""

ASYNC = """
    import asyncio, os, random, redis
    import redis.asyncio as aio
    def client(**more):
        return aio.Redis(unix_socket_path=os.environ["SOCKET"], socket_timeout=60, **more)
    async def main():
        r = client()
        print(await r.ping(), await r.set("a", random.random()), await r.get("a"))
        async with r.pipeline() as pipe:
            pipe.set("b", 1).incr("b").hgetall("h").get("a")
            print(await pipe.execute())
        async with r.pipeline() as pipe:
            await pipe.watch("b"); print(await pipe.get("b")); await r.set("b", 7)
            pipe.multi(); pipe.incr("b")
            try:
                print(await pipe.execute())
            except redis.WatchError:
                print("changed")
        async with r.pipeline() as pipe:
            await pipe.watch("b"); print(await pipe.get("b"))
        print([key async for key in r.scan_iter("*")])
        async def work(n):
            print(n, await r.set(f"k{n}", n), await r.incrby("t", n), await r.get(f"k{n}"))
        await asyncio.gather(*(work(n) for n in range(20)))
        async with r.pubsub() as said:
            await said.subscribe("c")
            async def publish():
                for n in range(3): await r.publish("c", n)
            task = asyncio.create_task(publish())
            got = 0
            async for message in said.listen():
                print(message)
                got += message["type"] == "message"
                if got == 3: break
            await task
            await said.unsubscribe("c")
        try:
            await asyncio.wait_for(r.blpop("nothing"), 0.05)
        except TimeoutError:
            print("timeout")
        async with r.lock("lock", timeout=3):
            print(await r.get("lock"))
        try:
            await r.incr("a")
        except redis.ResponseError as error:
            print(error)
        one = await client(single_connection_client=True, decode_responses=True)
        print(await one.get("a")); await one.aclose()
        async with client() as other:
            print(await other.echo("x"))
        async with r.monitor() as monitor:
            await r.get("a"); print((await monitor.next_command())["command"])
        await r.aclose()
    asyncio.run(main())
"""

MANY = """
    import asyncio, os, random, redis, sys
    import redis.asyncio as aio
    from concurrent.futures import ThreadPoolExecutor
    seen = []
    r = redis.Redis(unix_socket_path=os.environ["SOCKET"])
    def ask(n):
        r.set(f"thread {n}", n); seen.append((n, int(r.get(f"thread {n}"))))
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(ask, range(64)))
    async def main():
        r = aio.Redis(unix_socket_path=os.environ["SOCKET"])
        async def ask(n):
            await r.set(f"task {n}", n); seen.append((n, int(await r.get(f"task {n}"))))
        await asyncio.gather(*(ask(n) for n in range(64)))
        await r.aclose()
    asyncio.run(main())
    print(len(seen), sum(asked != got for asked, got in seen))
"""


def _of(found: Recorded, *names: str) -> list[Event]:
    return [event for event in found.events("memory") if event.name in names]


def _text(found: Recorded) -> str:
    """Everything that its events hold."""
    return "".join(f"{event.request} {event.response} {event.error}" for event in found.cassette().events)


@pytest.mark.parametrize("source", [SYNC, ASYNC], ids=["sync", "async"])
def test_programs(source: str, tmp_path: Path) -> None:
    with redis_server() as path:
        found = record(tmp_path, source, variables={"SOCKET": path})
    assert (found.exit_code, found.stderr) == (0, b"")
    for _ in range(3):  # the server is gone
        again = found.again()
        assert (again.divergence, again.escapes, again.gap) == (None, (), None)
        assert again.identical
        assert again.stdout == found.stdout
    assert list(found.cassette().blind_spots) == []
    assert found.events("connection") == []


def test_nothing_is_swapped(tmp_path: Path) -> None:
    with redis_server() as path:
        found = replays(tmp_path, MANY, times=1, varies=None, variables={"SOCKET": path})
    assert found.text == "128 0\n"
    assert len(_of(found, "redis.get")) == len(_of(found, "redis.set")) == 128
    for event in _of(found, "redis.get"):
        assert event.response == event.request["key"].split()[1].encode()


def test_what_an_event_says(tmp_path: Path) -> None:
    source = """
    import os, redis
    r = redis.Redis.from_url("unix://ann:hunter2-secret@" + os.environ["SOCKET"] + "?db=3")
    try:
        r.get("x")
    except redis.AuthenticationError as error:
        print(error)
    r = redis.Redis(unix_socket_path=os.environ["SOCKET"], db=3)
    r.set("a", 1, ex=60); r.get("a"); r.mget("a", "b"); r.eval("return 1", 2, "k", "l", "arg"); r.delete("a", "b")
    try:
        r.execute_command("AUTH", "hunter2-secret")
    except redis.RedisError:
        pass
    r.config_set("requirepass", "hunter2-secret")
    r.config_set("requirepass", "")
    r.acl_setuser("ann", enabled=True, passwords=["+hunter2-secret"])
    with r.pipeline() as pipe:
        pipe.get("a"); pipe.mset({"b": 1, "c": 2}); pipe.execute()
    """
    with redis_server() as path:
        found = replays(tmp_path, source, times=1, varies=None, variables={"SOCKET": path})
        store = f"unix://{path}?db=3"
    assert "hunter2" not in _text(found)
    first, got = _of(found, "redis.set")[0], _of(found, "redis.get")
    assert (first.effect, first.request, first.response) == (
        "write",
        {"store": store, "key": "a", "args": [1, "EX", 60]},
        b"OK",
    )
    assert [(event.effect, event.request, event.status) for event in got] == [
        ("read", {"store": store, "key": "x", "args": []}, "failed"),
        ("read", {"store": store, "key": "a", "args": []}, "done"),
    ]
    assert got[1].response == b"1"
    assert _of(found, "redis.mget")[0].request == {"store": store, "keys": ["a", "b"], "args": ["a", "b"]}
    assert _of(found, "redis.eval")[0].request["keys"] == ["k", "l"]
    assert (_of(found, "redis.del")[0].effect, _of(found, "redis.eval")[0].effect) == ("write", "write")
    [sent] = _of(found, "redis.pipeline")
    assert sent.request["commands"] == [
        {"op": "get", "key": "a", "args": []},
        {"op": "mset", "keys": ["b", "c"], "args": ["b", 1, "c", 2]},
    ]
    assert sent.response == [None, b"OK"]
