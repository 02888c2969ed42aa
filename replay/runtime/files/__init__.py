"""Files: what the program reads of them is recorded, what it writes are effects, and a replay touches none.

One idea carries it: *a question to the file system is a crossing, answered by the tape; an open file is a real file.*

- Questions (`stat`, `listdir`, …) and changes (`mkdir`, `rename`, …) are crossings like any other. At replay nothing is
  asked and nothing changed on the disk; changes are made to the overlay, below the scratch directory.
- Opening a file for reading is a crossing whose outcome has its content at that moment. At replay the file is laid into
  the overlay and opened there, so the program has a file object in C with all it can do.
- What is written through a file goes into the overlay too, and is compared when it is closed (event `write`).

Modules: `scope` which paths and callers count; `world` the overlay and the working directory; `opened` open files;
`opening`, `questions`, `changes`, `databases` the patched functions; `generated` importing what the program wrote;
`bytecode` what imports would write themselves.
"""

from __future__ import annotations

from replay.runtime.files import bytecode, changes, databases, generated, opened, opening, questions, world

finish = opened.finish
use = world.use
write_no_bytecode = bytecode.write_none

_installed = False


def install() -> None:
    """Patch the functions; idempotent. Without a lane each passes its arguments through."""
    global _installed
    if _installed:
        return
    _installed = True
    opened.install()
    opening.install()
    questions.install()
    changes.install()
    databases.install()
    generated.install()
    bytecode.install()


__all__ = ["finish", "install", "use", "write_no_bytecode"]
