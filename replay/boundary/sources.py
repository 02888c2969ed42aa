"""Every source of a draw, once: recorder and player speak of them by position, so append only.

Each is (name, kind): `clock` values are numbers as the function returned them, `entropy` values are bytes or numbers.
"""

from __future__ import annotations

SOURCES: tuple[tuple[str, str], ...] = (
    ("time.time", "clock"),
    ("time.time_ns", "clock"),
    ("time.monotonic", "clock"),
    ("time.monotonic_ns", "clock"),
    ("time.perf_counter", "clock"),
    ("time.perf_counter_ns", "clock"),
    ("time.process_time", "clock"),
    ("time.process_time_ns", "clock"),
    ("time.thread_time", "clock"),
    ("time.thread_time_ns", "clock"),
    ("time.clock_gettime", "clock"),
    ("time.clock_gettime_ns", "clock"),
    ("datetime.now", "clock"),
    ("loop.time", "clock"),
    ("os.urandom", "entropy"),
    ("os.getrandom", "entropy"),
    ("uuid.getnode", "entropy"),
    ("os.getpid", "entropy"),
    ("socket.gethostname", "entropy"),
    ("os.times", "clock"),
    ("threading.get_ident", "entropy"),
    ("urllib3.is_connected", "entropy"),
    ("platform.processor", "entropy"),
    ("http.sent", "entropy"),
    ("thread.is_alive", "entropy"),
    ("thread.join", "entropy"),
    ("timer.when", "clock"),
    ("os.getppid", "entropy"),
    ("os.getloadavg", "clock"),
    ("ctypes.find_library", "entropy"),
    ("ssl.RAND_bytes", "entropy"),
    ("signal.alarm", "clock"),
    ("signal.setitimer", "clock"),
    ("signal.getitimer", "clock"),
    ("threading.get_native_id", "entropy"),
    ("thread.ident", "entropy"),
    ("threading.active_count", "entropy"),
    ("resource.getrusage", "clock"),
    ("os.cpu_count", "entropy"),
    ("os.sched_getaffinity", "entropy"),
    ("os.uname", "entropy"),
    ("os.getlogin", "entropy"),
    ("os.ids", "entropy"),
    ("pwd.entry", "entropy"),
    ("getpass.getuser", "entropy"),
    ("os.statvfs", "clock"),
    ("shutil.disk_usage", "clock"),
    ("uuid_utils", "entropy"),
    ("thread.polled", "entropy"),
    ("file.asked", "entropy"),
    ("file.rest", "entropy"),
    ("thread.name", "entropy"),
    ("sqlite3.execute", "memory"),
)

NUMBER = {name: number for number, (name, _) in enumerate(SOURCES)}
KIND = dict(SOURCES)

FIXED = frozenset(
    (
        "os.cpu_count", "os.sched_getaffinity", "os.uname", "socket.gethostname", "uuid.getnode",
        "os.getlogin", "os.ids", "pwd.entry", "getpass.getuser", "ctypes.find_library",
    )
)  # fmt: skip
"""What a machine and a user are: what a process asks once and keeps, in whichever request comes first. Where the
replayed request was a later one, the machine answers."""
