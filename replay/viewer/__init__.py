"""`replay view`: a recording, or two of them side by side, in a browser; a thin door over `replay.queries`.

What the browser gets is in `static/`: plain modules and one style sheet, shipped as they are written. There is nothing
to build.

    with Viewer([Path("run.cassette")]) as viewer:
        print(viewer.url)
        viewer.serve()                     # until `viewer.stop()`, or Ctrl-C
"""

from __future__ import annotations

from replay.viewer.server import Viewer

__all__ = ["Viewer"]
