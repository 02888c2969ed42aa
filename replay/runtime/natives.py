"""Libraries whose native code talks to the world by itself: named once, when the program imports them.

A line goes when a seam covers the library.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from replay.boundary.imports import on_import

NATIVE: dict[str, str] = {
    "psycopg2": "libpq talks to the database",
    "MySQLdb": "libmysqlclient talks to the database",
    "oracledb.thick_impl": "Oracle's client talks to the database",
    "duckdb": "reads and writes files, and has a clock and a thread pool of its own",
    "adbc_driver_manager": "drivers talk to databases in C",
    "pyodbc": "drivers talk to databases in C",
    "pymssql": "FreeTDS talks to the database",
    "ibm_db": "drivers talk to databases in C",
    "aerospike": "talks to the database in C",
    "pycurl": "libcurl makes the connections",
    "curl_cffi": "libcurl makes the connections",
    "primp": "connections are made in Rust",
    "rnet": "connections are made in Rust",
    "zmq": "sockets and their threads are in C",
    "pynng": "sockets and their threads are in C",
    "confluent_kafka": "librdkafka talks to the broker from its own threads",
    "pulsar": "talks to the broker in C++",
    "rocksdict": "reads and writes files in C++",
    "lmdb": "maps files into memory",
    "hf_xet": "downloads in Rust",
    "hf_transfer": "downloads in Rust",
    "lancedb": "reads, writes and downloads in Rust",
    "deltalake": "reads, writes and downloads in Rust",
    "obstore": "connections are made in Rust",
    "qdrant_edge": "reads and writes files in Rust",
    "polars": "reads and writes files in Rust",
    "pyarrow.dataset": "reads and writes files in C++",
    "pyarrow.parquet": "reads and writes files in C++",
    "pyarrow.flight": "calls are made in C++",
    "pyarrow.fs": "file systems and object stores in C++",
    "h5py": "reads and writes files in C",
    "netCDF4": "reads and writes files in C",
    "cv2": "reads and writes files, cameras and streams in C++",
    "llama_cpp": "sampling draws chance in C++",
    "vllm": "GPU results may differ from run to run",
    "tensorflow": "reads files in C++; GPU results may differ from run to run",
    "playwright": "drives a browser in another process",
    "selenium": "drives a browser in another process",
    "temporalio.bridge": "talks to its server in Rust",
    "couchbase": "talks to the database in C++",
    "snowflake.connector.nanoarrow_arrow_iterator": "results are decoded from native downloads",
}


def install(blind: Callable[[str, str], None]) -> None:
    """Name each as it is imported.

    Args:
        blind: told (what, detail).
    """
    for name, why in NATIVE.items():
        on_import(name, partial(_name, blind, name, why))


def _name(blind: Callable[[str, str], None], name: str, why: str, _: object) -> None:
    blind("native library", f"{name}: {why}")
