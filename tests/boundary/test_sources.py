"""Sources of draws are known by position in every cassette that was ever written: appended, never moved."""

from __future__ import annotations

from replay.boundary.sources import KIND, NUMBER, SOURCES

VERSION_1 = (
    "time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns "
    "time.process_time time.process_time_ns time.thread_time time.thread_time_ns time.clock_gettime "
    "time.clock_gettime_ns datetime.now loop.time os.urandom os.getrandom uuid.getnode os.getpid "
    "socket.gethostname os.times threading.get_ident urllib3.is_connected platform.processor http.sent"
).split()


def test_no_source_moves() -> None:
    assert [name for name, _ in SOURCES[: len(VERSION_1)]] == VERSION_1


def test_each_once_and_of_a_known_kind() -> None:
    assert len(NUMBER) == len(SOURCES) == len(KIND)
    assert set(KIND.values()) == {"clock", "entropy", "memory"}
    assert [NUMBER[name] for name, _ in SOURCES] == list(range(len(SOURCES)))
