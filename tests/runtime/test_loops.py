"""asyncio: the loop of a replay runs what ran, in that order; the winner of a race wins again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.programs import replays

PREFIX = """
import asyncio, contextvars, random, threading, time
async def nap(scale=300):
    await asyncio.sleep(random.random() / scale)
"""

PROGRAMS = {
    "gather and groups": """
        log = []
        async def work(n):
            for i in range(3):
                await nap()
                log.append((n, i))
            if n == 3:
                raise ValueError(n)
            return n
        async def main():
            print(await asyncio.gather(*(work(n) for n in range(5)), return_exceptions=True), log)
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(work(n)) for n in range(6)]
            except* ValueError as found:
                print(found.exceptions, [t.cancelled() for t in tasks], log)
            async with asyncio.TaskGroup() as group:
                for n in range(3): group.create_task(work(n))
            print(log)
        asyncio.run(main())
    """,
    "races": """
        async def work(n):
            await nap(); return n
        async def main():
            for n in range(8):
                try:
                    print(await asyncio.wait_for(work(n), random.random() / 300), end=" ")
                except TimeoutError:
                    print("late", end=" ")
            print()
            for _ in range(4):
                try:
                    async with asyncio.timeout(random.random() / 300):
                        await nap()
                        print("in time", end=" ")
                except TimeoutError:
                    print("late", end=" ")
            for n in range(8):  # over before it begins
                try:
                    async with asyncio.timeout(1e-7 * n) as limit:
                        await nap()
                except TimeoutError:
                    print(limit.expired(), limit.when(), end=" ")
            print()
            for future in asyncio.as_completed([work(n) for n in range(6)]):
                print(await future, end=" ")
            tasks = [asyncio.create_task(work(n)) for n in range(6)]
            done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            print(sorted(tasks.index(t) for t in done), [tasks.index(t) for t in rest])
            if rest:
                done, rest = await asyncio.wait(rest, timeout=random.random() / 400)
            print(len(done), [tasks.index(t) for t in rest])
            for t in rest: t.cancel()
            print(await asyncio.gather(*rest, return_exceptions=True))
        asyncio.run(main())
    """,
    "cancellation": """
        async def stubborn(n):
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError as error:
                print("cancelled", n, error.args)
                await nap()
                if n % 2: raise
            finally:
                print("finally", n)
            return n
        async def main():
            tasks = [asyncio.create_task(stubborn(n)) for n in range(4)]
            await nap()
            for t in tasks: t.cancel(f"because {t.get_name()}")
            print(await asyncio.gather(*tasks, return_exceptions=True))
            inner = asyncio.create_task(nap(20))
            try:
                await asyncio.wait_for(asyncio.shield(inner), 0.0001)
            except TimeoutError:
                print("shielded", inner.cancelled(), inner.done())
            await inner
            me = asyncio.current_task(); me.cancel()
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                print("myself", me.uncancel(), me.cancelling())
            never = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.001, never.cancel)
            try:
                await never
            except asyncio.CancelledError:
                print("future")
        asyncio.run(main())
    """,
    "queues and locks": """
        async def main():
            box, log = asyncio.Queue(2), []
            lock, event, gate, cond = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(2), asyncio.Condition()
            async def produce(n):
                for i in range(3):
                    await nap(); await box.put((n, i))
            async def consume(n):
                while True:
                    item = await box.get()
                    async with lock:
                        await nap(900); log.append((n, item))
                    box.task_done()
            takers = [asyncio.create_task(consume(n)) for n in range(3)]
            await asyncio.gather(*(produce(n) for n in range(4)))
            await box.join()
            for t in takers: t.cancel()
            print(log)
            async def wait(n):
                await event.wait()
                async with gate: await nap()
                async with cond:
                    log.append(n); cond.notify_all()
            log.clear()
            waiters = [asyncio.create_task(wait(n)) for n in range(5)]
            await nap(); event.set()
            async with cond:
                await cond.wait_for(lambda: len(log) == 5)
            print(log, box.empty())
            barrier = asyncio.Barrier(3)
            async def meet(n):
                await nap(); return await barrier.wait()
            print(await asyncio.gather(*(meet(n) for n in range(3))))
        asyncio.run(main())
    """,
    "background and callbacks": """
        var = contextvars.ContextVar("var", default=0)
        async def background(n):
            while True:
                await nap(); print("tick", n)
        async def main():
            loop = asyncio.get_running_loop()
            tasks = {asyncio.create_task(background(n), name=f"b{n}") for n in range(3)}
            print([t.get_name() for t in asyncio.all_tasks() if t.get_name() > "a"])
            loop.call_soon(print, "soon"); loop.call_later(0.002, print, "later")
            loop.call_at(loop.time() + 0.001, print, "at"); loop.call_later(0.004, var.set, 3)
            dropped = loop.call_later(0.001, print, "never"); dropped.cancel()
            print(dropped.cancelled(), loop.time(), dropped.when())
            t = asyncio.create_task(nap()); t.add_done_callback(lambda t: print("done", t.done(), var.get()))
            await t
            future = loop.create_future(); loop.call_soon(future.set_result, 5); print(await future)
            await asyncio.sleep(0.006)
            print(var.get(), asyncio.current_task().get_name(), repr(asyncio.current_task())[:12])
        asyncio.run(main())
    """,
    "threads": """
        def block(n):
            time.sleep(random.random() / 300); print("block", n)
            return n, random.random(), time.time()
        async def main():
            loop = asyncio.get_running_loop()
            print(await asyncio.gather(*(asyncio.to_thread(block, n) for n in range(5))))
            print(await loop.run_in_executor(None, block, 9))
            from concurrent.futures import ThreadPoolExecutor
            with ThreadPoolExecutor(2) as pool:
                print(await asyncio.gather(*(loop.run_in_executor(pool, block, n) for n in range(4))))
            heard, lock = asyncio.Event(), threading.Lock()
            def other():
                time.sleep(0.001)
                loop.call_soon_threadsafe(heard.set)
                print("ran", asyncio.run_coroutine_threadsafe(nap(), loop).result())
            t = threading.Thread(target=other); t.start()
            await heard.wait(); print("heard")
            await asyncio.to_thread(t.join)
            try:
                await asyncio.wait_for(asyncio.to_thread(time.sleep, 0.01), 0.001)
            except TimeoutError:
                print("late")
            try:
                await asyncio.to_thread(int, "x")
            except ValueError as error:
                print(error)
        asyncio.run(main())
    """,
    "loops in threads": """
        async def work(n):
            for i in range(3):
                await nap(); print("thread", n, i)
            return n
        def run(n):
            print("result", asyncio.run(work(n)))
        threads = [threading.Thread(target=run, args=(n,)) for n in range(3)]
        for t in threads: t.start()
        for t in threads: t.join()
        async def main():
            print(await asyncio.gather(asyncio.to_thread(run, 7), asyncio.to_thread(run, 8), work(9)))
        asyncio.run(main())
    """,
    "several loops": """
        async def main(n):
            await nap(); return n, time.time_ns()
        print([asyncio.run(main(n)) for n in range(3)])
        with asyncio.Runner() as runner:
            print(runner.run(main(1)), runner.run(main(2)), runner.get_loop().is_running())
        loop = asyncio.new_event_loop(); asyncio.set_event_loop(loop)
        print(loop.run_until_complete(main(4)))
        loop.call_later(0.001, loop.stop); loop.run_forever()
        task = loop.create_task(main(5)); print(loop.run_until_complete(asyncio.gather(task, main(6))))
        loop.run_until_complete(loop.shutdown_asyncgens()); loop.close()
        try:
            loop.call_soon(print)
        except RuntimeError as error:
            print(error)
        print(asyncio.run(main(7)))
    """,
    "generators": """
        import gc, replay
        async def numbers(n):
            try:
                for i in range(n):
                    await nap(); yield i, random.random()
            finally:
                await asyncio.sleep(0)
        @replay.tool
        async def pieces(n):
            for i in range(n):
                await nap(); yield i, random.random()
        @replay.tool(effect="read")
        async def look(n):
            await nap()
            if n == 2: raise LookupError(n)
            return random.random()
        async def main():
            async for item in numbers(9):
                if item[0] == 2: break
            print(item); gc.collect()
            async with __import__("contextlib").aclosing(numbers(4)) as found:
                print([x async for x in found])
            print([x async for x in pieces(3)])
            async for item in pieces(5):
                break
            print(item)
            async def one(n):
                try:
                    return await look(n)
                except LookupError as error:
                    return error.args
            print(await asyncio.gather(*(one(n) for n in range(6))))
            async def drain(n):
                return [x async for x in pieces(n)]
            print(await asyncio.gather(*(drain(n) for n in range(5))))
            left = numbers(3); await anext(left)
        asyncio.run(main())
    """,
    "exceptions": """
        async def fail(error):
            await nap(); raise error
        def broken(n):
            raise ValueError(f"callback {n}")
        # What nobody retrieved is logged with a traceback, whose frames are those of the loop: another one at replay.
        __import__("logging").getLogger("asyncio").disabled = True
        async def main():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda loop, context: print("handler", context["message"][:30],
                                                                   repr(context.get("exception"))))
            loop.call_soon(broken, 1); loop.call_later(0.001, broken, 2)
            t = asyncio.create_task(nap()); t.add_done_callback(broken); await t
            await asyncio.sleep(0.002)
        asyncio.run(main())
        for error in (SystemExit(3), KeyboardInterrupt("now"), ValueError("plain")):
            async def around(error=error):
                other = asyncio.create_task(nap(5))
                try:
                    await asyncio.gather(fail(error), nap(2))
                finally:
                    print("finally", other.done())
            try:
                asyncio.run(around())
            except BaseException as caught:
                print(type(caught), caught)
        async def last():
            asyncio.create_task(fail(SystemExit(4))); await asyncio.sleep(1)
        asyncio.run(last())
    """,
}
CODES = {"exceptions": 4}
VARIES = {"several loops": True, "threads": True, "generators": True, "background and callbacks": True}


@pytest.mark.parametrize("what", PROGRAMS)
def test_the_loop_runs_what_ran(tmp_path: Path, what: str) -> None:
    source = PREFIX + "\n".join(line[8:] for line in PROGRAMS[what].splitlines())
    found = replays(tmp_path, source, times=2, varies=VARIES.get(what), code=CODES.get(what, 0))
    assert found.stdout


def test_the_lanes_of_tasks(tmp_path: Path) -> None:
    found = replays(
        tmp_path,
        """
        import asyncio, threading
        async def leaf():
            await asyncio.sleep(0.001); print("leaf")
        async def branch():
            await asyncio.gather(leaf(), leaf())
            await asyncio.to_thread(print, "job")
        async def main():
            print("main")
            await asyncio.gather(branch(), leaf())
        asyncio.run(main())
        print("after")
        """,
        times=1,
        varies=None,
    )
    said = {(event.lane, event.request) for event in found.events("output")}
    assert said == {
        ("m/t1", "main\n"),
        ("m/t1/t2", "leaf\n"),
        ("m/t1/t1/t1", "leaf\n"),
        ("m/t1/t1/t2", "leaf\n"),
        ("m/t1/t1/e1", "job\n"),
        ("m", "after\n"),
    }
