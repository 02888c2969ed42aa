"""What a stand-in for a secret looks like: who makes them (`cassette.redact`) and who matches them agree on this."""

from __future__ import annotations

from typing import Final

PSEUDONYM: Final = (
    r"<redacted:[0-9a-f]{4,16384}>|<~[0-9a-f]{1,12}>"
    r"|(?<![A-Za-z0-9_.+-])[0-9a-f]{4,80}(?:@|%40)r\.invalid(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_.+-])0099(?:[ -]?[0-9]){10,15}(?![A-Za-z0-9_-])"
    r"|(?<![A-Za-z0-9_+])\+9[ ().-]{0,2}9[ ().-]{0,2}9(?:[ ().-]{0,2}[0-9]){5,12}(?![0-9])"
    r"|\(000\) ?[0-9]{3}-[0-9]{4}(?![0-9])|(?<![A-Za-z0-9_])000-[0-9]{3}-[0-9]{4}(?![0-9])"
    r"|(?<![A-Za-z0-9])XX[0-9]{2}(?: ?[0-9]){11,30}(?![A-Za-z0-9])"
)
"""Of all kinds; a pattern without groups, for texts and bytes alike."""
