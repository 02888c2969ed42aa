"""Files in the age format, version 1 (C2SP, age-encryption.org): X25519 recipients, and payloads in chunks of 64 KiB.

`age -d -i KEY` opens what is written here, and what `age -r` wrote is read. Only the arithmetic is another's
(`cryptography`); of the format this is all that a cassette needs: no passphrases, no plugins, no armor.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from replay.cassette.header import entropy
from replay.cassette.keys import read_key_file, serialization, write_new
from replay.model.errors import KeyUnusable

VERSION: Final = b"age-encryption.org/v1\n"
CHUNK: Final = 64 * 1024
TAG: Final = 16
NONCE: Final = 16
HEADER_LIMIT: Final = 64 * 1024
"""Bytes of a header at most: some 600 recipients."""

_X25519: Final = b"age-encryption.org/v1/X25519"
_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_PUBLIC: Final = "age"
_SECRET: Final = "age-secret-key-"


@dataclass(frozen=True, slots=True)
class Identity:
    """A secret key. `recipient`: its public part, `age1…`."""

    secret: bytes

    @property
    def recipient(self) -> str:
        return _bech32(_PUBLIC, _public(self.secret))

    @property
    def text(self) -> str:
        """As age-keygen writes it."""
        return _bech32(_SECRET, self.secret).upper()

    def __repr__(self) -> str:
        return "<Identity>"


def new_identity() -> Identity:
    """Raises KeyUnusable where `cryptography` isn't installed."""
    form = serialization()
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.generate()
    return Identity(key.private_bytes(form.Encoding.Raw, form.PrivateFormat.Raw, form.NoEncryption()))


def write_identity(path: str, created: str) -> Identity:
    """A new identity in a new file, 0600, as age-keygen writes it. Raises CassetteExists, KeyUnusable."""
    identity = new_identity()
    lines = (f"# created: {created}", f"# public key: {identity.recipient}", identity.text, "")
    write_new(path, "\n".join(lines).encode(), 0o600)
    return identity


def read_identities(path: str) -> list[Identity]:
    """The identities in a file: one a line, `#` begins a comment. Raises KeyUnusable."""
    lines = read_key_file(path).decode("ascii", "replace").split("\n")
    found = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    secrets = [_from_bech32(line.lower(), _SECRET) for line in found if line == line.upper()]
    if not secrets or None in secrets or len(secrets) != len(found):
        raise KeyUnusable(f"{path} holds no age identity (AGE-SECRET-KEY-1…)")
    return [Identity(secret) for secret in secrets if secret is not None]


def recipients(texts: Iterable[str]) -> list[str]:
    """Public keys out of `age1…` texts, and out of files that hold some, one a line. Raises KeyUnusable."""
    found: list[str] = []
    for text in texts:
        text = text.strip()
        if _from_bech32(text, _PUBLIC) is not None:
            found.append(text)
        elif text.lower().startswith(_SECRET):
            raise KeyUnusable("that is a secret key, and the public one is meant (age1…)")
        elif text.startswith("age1"):
            raise KeyUnusable(f"{text} is no age recipient: mistyped?")
        else:
            lines = read_key_file(text).decode("utf-8", "replace").splitlines()
            inside = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
            if not inside or any(_from_bech32(line, _PUBLIC) is None for line in inside):
                raise KeyUnusable(f"{text} holds other things than age recipients (age1…)")
            found += inside
    return found


# The header: the file's key, wrapped for each recipient.


def new_header(to: Sequence[str]) -> tuple[bytes, bytes]:
    """(header, file key) for those recipients, at least one. Raises KeyUnusable."""
    if not to:
        raise KeyUnusable("nobody is named who could read it again")
    serialization()
    file_key = entropy(16)
    lines = [VERSION]
    for recipient in to:
        public = _from_bech32(recipient, _PUBLIC)
        if public is None:
            raise KeyUnusable(f"{recipient} is no age recipient")
        ephemeral = new_identity().secret
        share = _public(ephemeral)
        wrapped = cipher(_wrap_key(_exchange(ephemeral, public), share, public)).encrypt(bytes(12), file_key, None)
        lines.append(b"-> X25519 " + _b64(share) + b"\n" + _b64(wrapped) + b"\n")
    text = b"".join(lines) + b"---"
    return text + b" " + _b64(_mac(file_key, text)) + b"\n", file_key


def header_size(data: bytes) -> int | None:
    """Bytes of the header that `data` begins with; None: it has none, or not whole."""
    if not data.startswith(VERSION):
        return None
    at = data.find(b"\n--- ")
    end = data.find(b"\n", at + 1)
    return None if at < 0 or end < 0 else end + 1


def open_header(header: bytes, identities: Iterable[Identity]) -> bytes | None:
    """The file key, if one of the identities gets it and nobody altered the header; otherwise None."""
    stanzas = list(_stanzas(header))
    for identity in identities:
        mine = _public(identity.secret)
        for share, body in stanzas:
            file_key = _unwrap(identity.secret, mine, share, body)
            if file_key is not None:
                at = header.rindex(b"--- ")
                said = _mac(file_key, header[: at + 3])
                return file_key if hmac.compare_digest(_b64(said), header[at + 4 : -1]) else None
    return None


def _stanzas(header: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(share, wrapped key) of the X25519 stanzas."""
    lines = header.split(b"\n")
    for at, line in enumerate(lines):
        if line.startswith(b"-> X25519 "):
            try:
                yield _unb64(line[10:]), _unb64(lines[at + 1])
            except (Base64Error, ValueError, IndexError):
                continue


def _unwrap(secret: bytes, public: bytes, share: bytes, body: bytes) -> bytes | None:
    from cryptography.exceptions import InvalidTag

    if len(share) != 32 or len(body) != 32:
        return None
    try:
        return bytes(cipher(_wrap_key(_exchange(secret, share), share, public)).decrypt(bytes(12), body, None))
    except (InvalidTag, ValueError):  # not for this identity; a share that is no point
        return None


def _wrap_key(shared: bytes, share: bytes, public: bytes) -> bytes:
    return hkdf(shared, share + public, _X25519)


def _mac(file_key: bytes, text: bytes) -> bytes:
    return hmac.digest(hkdf(file_key, b"", b"header"), text, "sha256")


# The payload.


def seal(pieces: Iterable[bytes], to: Sequence[str]) -> Iterator[bytes]:
    """An age file of the joined pieces, for those recipients."""
    header, file_key = new_header(to)
    nonce = entropy(NONCE)
    yield header + nonce
    encrypt = cipher(payload_key(file_key, nonce)).encrypt
    rest, number = b"", 0
    for piece in pieces:
        rest += piece
        whole = max(len(rest) - 1, 0) // CHUNK * CHUNK  # the last chunk is never empty
        for at in range(0, whole, CHUNK):
            yield encrypt(chunk_nonce(number, last=False), rest[at : at + CHUNK], None)
            number += 1
        rest = rest[whole:]
    yield encrypt(chunk_nonce(number, last=True), rest, None)


def payload_key(file_key: bytes, nonce: bytes) -> bytes:
    """The key of an age payload."""
    return hkdf(file_key, nonce, b"payload")


def chunk_nonce(number: int, *, last: bool) -> bytes:
    """Of the chunk with that number."""
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")


def opener(key: bytes) -> Callable[[bytes, bytes, bytes | None], bytes | None]:
    """(nonce, sealed, what it goes with) -> the bytes; None where they were altered."""
    from cryptography.exceptions import InvalidTag

    decrypt = cipher(key).decrypt

    def open_(nonce: bytes, sealed: bytes, also: bytes | None = None) -> bytes | None:
        try:
            return bytes(decrypt(nonce, sealed, also))
        except (InvalidTag, ValueError):
            return None

    return open_


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA256 of 32 bytes (RFC 5869)."""
    extracted = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(extracted, info + b"\1", "sha256")


def cipher(key: bytes) -> Any:
    """ChaCha20-Poly1305."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    return ChaCha20Poly1305(key)


def _exchange(secret: bytes, public: bytes) -> bytes:
    """Raises ValueError for a public key that isn't one."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    return X25519PrivateKey.from_private_bytes(secret).exchange(X25519PublicKey.from_public_bytes(public))


def _public(secret: bytes) -> bytes:
    form = serialization()
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = X25519PrivateKey.from_private_bytes(secret).public_key()
    return key.public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)


# Texts: base64 without padding, and Bech32 (BIP 173).


def _b64(data: bytes) -> bytes:
    return b64encode(data).rstrip(b"=")


def _unb64(text: bytes) -> bytes:
    return b64decode(text + b"=" * (-len(text) % 4), validate=True)


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check


def _spread(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _bech32(prefix: str, data: bytes) -> str:
    bits = int.from_bytes(data, "big") << 4  # 32 bytes are 51.2 groups of 5 bits
    values = [bits >> 5 * (51 - i) & 31 for i in range(52)]
    check = _polymod([*_spread(prefix), *values, 0, 0, 0, 0, 0, 0]) ^ 1
    return prefix + "1" + "".join(_ALPHABET[v] for v in (*values, *(check >> 5 * (5 - i) & 31 for i in range(6))))


def _from_bech32(text: str, prefix: str) -> bytes | None:
    """The 32 bytes; None where it isn't such a text."""
    if not text.startswith(prefix + "1") or len(text) != len(prefix) + 59:
        return None
    values = [_ALPHABET.find(c) for c in text[len(prefix) + 1 :]]
    if min(values) < 0 or _polymod([*_spread(prefix), *values]) != 1 or values[51] & 15:
        return None
    number = 0
    for value in values[:52]:
        number = number << 5 | value
    return (number >> 4).to_bytes(32, "big")
