"""Debugging in time: going to any event of a replay, looking at the program there, searching for when something began.

`checkpoints` and `search` are pure: where snapshots of the process are left and kept, and which events are looked at.
`execution` is the floor: processes that stop at events (`replay.runtime.stepping`). `session` puts them together.
"""
