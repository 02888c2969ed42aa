"""Cassettes as bytes: frames, values, writing, sealing, reading, verifying. Knows nothing of seams, doors or players.

| module | what |
|---|---|
| `frame` | framing, sans I/O; the types of frames |
| `codec`, `scalars`, `objects`, `named`, `explain` | values <-> bytes, inert records |
| `revive` | inert records -> objects |
| `delta` | bodies as differences |
| `writer`, `sealing`, `footer`, `header` | recording |
| `source`, `scan`, `layout`, `records`, `reader` | reading |
| `cassette`, `directory`, `verify` | for users |

Import what you need from its module; importing one doesn't load the others, and zstandard is loaded when a file is
sealed or a sealed one is read.
"""
