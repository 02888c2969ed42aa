"""What is done for the cassettes themselves: whom they are encrypted for, and who signs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replay.boundary.lanes import nobody

if TYPE_CHECKING:
    from replay.cassette.disk import Disk
    from replay.cassette.sealing import Sign


@dataclass(frozen=True, slots=True)
class Protection:
    """For one cassette, or for all of a command.

    Attributes:
        sign: a file with a private ed25519 key; None: not signed.
        encrypt: age recipients; none: not encrypted. also: recipients that can read it until it is sealed.
    """

    sign: str | None = None
    encrypt: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def header(self) -> dict[str, Any]:
        """What the cassette says of it."""
        return {"recipients": list(self.encrypt)} if self.encrypt else {}

    def journal(self) -> Callable[[int], Disk] | None:
        """Makes an encrypted file of an empty one."""
        if not self.encrypt:
            return None
        with nobody():
            from replay.cassette.journal import Journal

        return lambda fd: Journal(fd, self.encrypt, self.also)

    def signer(self) -> Callable[[str], Sign] | None:
        """Signs the cassette with a given id, when it is sealed. Raises KeyUnusable."""
        if self.sign is None:
            return None
        with nobody():
            from replay.cassette import keys, signing

            key = keys.signing_key(self.sign)
        return lambda identity: signing.by(key, identity)


NONE = Protection()


def protection(sign: str | None, encrypt: tuple[str, ...] | list[str]) -> Protection:
    """Of what a user wrote: recipients, or files of them. Raises KeyUnusable."""
    if not encrypt:
        return Protection(sign) if sign else NONE
    with nobody():
        from replay.cassette.age import recipients

        return Protection(sign, tuple(recipients(encrypt)))
