"""Fixtures for all tests are in `tests/support`; this file only loads them."""

pytest_plugins = [
    "pytester",
    "tests.support.browser",
    "tests.support.plugin",
    "tests.support.properties",
    "tests.support.tables",
    "tests.support.torture",
]
