"""Fixtures for all tests are in `tests/support`; this file only loads them."""

import os
import signal

signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell's background job ignores it, and so would its children

os.environ.pop("COLUMNS", None)  # xdist gives its workers one: commands in pipes would fold their lines for it

pytest_plugins = [
    "pytester",
    "tests.support.browser",
    "tests.support.plugin",
    "tests.support.properties",
    "tests.support.tables",
    "tests.support.torture",
    "tests.support.viewing",
]
