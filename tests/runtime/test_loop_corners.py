"""asyncio where it is easily missed: what is freed, abandoned, hashed, signalled; and anyio on top of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import replays

PREFIX = """
import asyncio, gc, logging, random, signal, sys, threading, time
async def nap():
    await asyncio.sleep(random.choice([0, 0, 0.001, 0.001, 0.002]))
def block(n):
    time.sleep(random.choice([0, 0.001, 0.002])); return n
"""

PROGRAMS = {
    "sets of futures": """
        from concurrent.futures import ThreadPoolExecutor, as_completed
        async def main():
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(3) as pool:
                jobs = [loop.run_in_executor(pool, block, n) for n in range(12)]
                done, rest = await asyncio.wait(jobs, timeout=0.002)
                print([jobs.index(job) for job in done], [jobs.index(job) for job in rest])
                await asyncio.gather(*jobs)
            own = [loop.create_future() for _ in range(12)]
            print([own.index(each) for each in set(own)])
            groups = [asyncio.gather(nap(), nap()) for _ in range(6)]
            done, _ = await asyncio.wait(groups)
            print([groups.index(each) for each in done])
            def ask():
                found = [asyncio.run_coroutine_threadsafe(nap(), loop) for _ in range(8)]
                print([found.index(each) for each in as_completed(found)])
            await asyncio.to_thread(ask)
        asyncio.run(main())
    """,
    "what nobody retrieved": """
        async def fail(n):
            await nap(); raise ValueError(n)
        def report(loop, context):
            print("reported", context["message"], repr(context.get("exception")))
        async def main():
            loop = asyncio.get_running_loop(); loop.set_exception_handler(report)
            for n in range(4):
                task = asyncio.create_task(fail(n)); del task
                await asyncio.sleep(0.003)
            future = loop.create_future(); future.set_exception(KeyError("lost")); del future
            loop.call_soon(lambda: 1 / 0)
            await nap()
            tasks = [asyncio.create_task(fail(n)) for n in range(3)]
            await asyncio.sleep(0.01); del tasks; gc.collect()
        asyncio.run(main())
    """,
    "abandoned generators": """
        log = []
        async def numbers(n):
            try:
                for i in range(5):
                    await nap(); yield n, i
            finally:
                await nap(); print("closed", n, random.random())
        async def take(n):
            async for item in numbers(n):
                log.append(item)
                if random.random() < 0.4: break
            await nap(); log.append(n)
        async def main():
            await asyncio.gather(*(take(n) for n in range(8)))
            print(log)
        asyncio.run(main())
    """,
    "signals": """
        count = 0
        async def main():
            loop, three = asyncio.get_running_loop(), asyncio.Event()
            def on(name):
                global count
                count += 1; print(name, count)
                if count == 3: three.set()
            loop.add_signal_handler(signal.SIGUSR1, on, "one")
            loop.add_signal_handler(signal.SIGUSR2, on, "two")
            signal.raise_signal(signal.SIGUSR1)
            await nap()
            signal.raise_signal(signal.SIGUSR2); signal.raise_signal(signal.SIGUSR1)
            await three.wait()
            print(loop.remove_signal_handler(signal.SIGUSR1), type(loop).__name__, repr(loop)[:23])
        asyncio.run(main())
    """,
    "factories": """
        class Own(asyncio.Task):
            pass
        made = []
        def factory(loop, coro, **more):
            made.append(coro.__name__); return Own(coro, loop=loop, **more)
        async def main():
            asyncio.get_running_loop().set_task_factory(factory)
            async with asyncio.TaskGroup() as group:
                for n in range(5): group.create_task(nap(), name=f"n{n}")
            print(made, type(asyncio.create_task(nap())).__name__)
            logging.basicConfig(stream=sys.stdout, level=logging.DEBUG)
            await asyncio.gather(*(nap() for _ in range(4)))
        asyncio.run(main(), debug=True)
    """,
    "anyio": """
        import anyio, anyio.from_thread, anyio.to_thread
        log = []
        async def work(n):
            await anyio.sleep(random.choice([0, 0.001, 0.002])); log.append(n)
        def from_a_thread(n):
            block(n); anyio.from_thread.run(work, n); anyio.from_thread.run_sync(log.append, ("sync", n))
        async def main():
            async with anyio.create_task_group() as group:
                for n in range(6): group.start_soon(work, n)
                for n in range(5): group.start_soon(anyio.to_thread.run_sync, from_a_thread, n)
            for n in range(8):
                with anyio.move_on_after(0.0015) as scope:
                    await work(n)
                print(scope.cancelled_caught, end=" ")
            send, receive = anyio.create_memory_object_stream(2)
            async def put(n):
                async with send.clone() as mine:
                    for i in range(3): await work(n); await mine.send((n, i))
            async def take(n):
                async with receive.clone() as mine:
                    async for item in mine: log.append((n, item))
            async with anyio.create_task_group() as group:
                async with anyio.create_task_group() as inner:
                    for n in range(3): inner.start_soon(put, n); group.start_soon(take, n)
                send.close(); receive.close()
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 9)
                with anyio.CancelScope(shield=True): await work(9)
                group.cancel_scope.cancel()
            print(log)
        anyio.run(main)
        with anyio.from_thread.start_blocking_portal() as portal:
            print([future.result() for future in [portal.start_task_soon(work, n) for n in range(4)]])
        print(log)
    """,
}
VARIES = {"signals": False}


@pytest.mark.parametrize("what", PROGRAMS)
def test_corners(tmp_path: Path, what: str) -> None:
    source = PREFIX + "\n".join(line[8:] for line in PROGRAMS[what].splitlines())
    found = replays(tmp_path, source, times=2, varies=VARIES.get(what))
    assert found.stdout


def test_what_a_tool_leaves_to_its_task_is_its_own(tmp_path: Path) -> None:
    """anyio's first worker thread adds callbacks to the task of the loop, in the context of the loop's caller."""
    source = """
        import asyncio, random, replay
        from anyio import to_thread

        @replay.tool
        async def double(x):
            return await to_thread.run_sync(lambda: 2 * x)

        async def main():
            print(await to_thread.run_sync(random.random))
            print(await asyncio.gather(*(double(random.random()) for _ in range(3))))
            print(await to_thread.run_sync(random.random))

        asyncio.new_event_loop().run_until_complete(main())
        asyncio.run(main())
    """
    replays(tmp_path, source, varies=True)


def test_the_body_of_a_tool_goes_on_in_its_own_context(tmp_path: Path) -> None:
    """Also when it has waited for a task."""
    source = """
        import asyncio, contextvars, time, replay
        name = contextvars.ContextVar("name", default="nobody")

        @replay.tool
        async def work():
            await asyncio.create_task(asyncio.sleep(0.001))
            name.set("ada")
            await asyncio.sleep(0.001)
            return name.get(), time.time()

        async def main():
            print(await asyncio.create_task(work()), name.get())

        asyncio.run(main())
        """
    found = replays(tmp_path, source, varies=True)
    assert found.text.startswith("('ada', "), found.text


def test_a_thread_that_has_resolved_a_future_of_the_loop_goes_on(tmp_path: Path) -> None:
    source = """
        import asyncio, concurrent.futures, threading, time

        def work(futures):
            for future in futures:
                future.set_result(time.time())
                for _ in range(20):
                    time.time()
                time.sleep(0.001)

        async def main():
            futures = [concurrent.futures.Future() for _ in range(6)]
            threads = [threading.Thread(target=work, args=(futures[n::2],)) for n in range(2)]
            for thread in threads:
                thread.start()
            print([await asyncio.wrap_future(future) for future in futures])
            for thread in threads:
                thread.join()
            with concurrent.futures.ThreadPoolExecutor() as pool:
                other = concurrent.futures.Future()
                job = pool.submit(work, [other])
                print(await asyncio.wrap_future(other))
                await asyncio.wrap_future(job)

        asyncio.run(main())
        """
    replays(tmp_path, source, varies=True)
