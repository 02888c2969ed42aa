"""The pytest plugin: `hooks` is what pytest loads, and it loads the rest when a test asks for it. docs/pytest.md."""
