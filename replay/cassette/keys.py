"""Keys for signing (ed25519): made, read and written in the forms of openssl and ssh-keygen."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from replay.model.errors import CassetteExists, KeyUnusable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def serialization() -> Any:
    """`cryptography`'s module of that name. Raises KeyUnusable where it isn't installed."""
    try:
        from cryptography.hazmat.primitives import serialization
    except ImportError:
        raise KeyUnusable("keys need the package `cryptography`", hint="pip install 'agent-replay[keys]'") from None
    return serialization


def new_signing_key(path: str | os.PathLike[str]) -> str:
    """A new key: the private part at `path` (0600, PKCS #8), the public one at `path` with `.pub`. Returns that path.

    Raises:
        CassetteExists: there is a file already; neither is touched. KeyUnusable: `cryptography` is missing.
    """
    form = serialization()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    where = f"{os.fspath(path)}.pub"
    if os.path.exists(where):
        raise CassetteExists(f"{where} exists already", hint="keys are never overwritten; choose another name")
    write_new(path, private, 0o600)
    write_new(where, public, 0o644)
    return where


def write_new(path: str | os.PathLike[str], data: bytes, mode: int) -> None:
    """A file that wasn't there. Raises CassetteExists, OSError."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise CassetteExists(
            f"{os.fspath(path)} exists already", hint="keys are never overwritten; choose another name"
        ) from None
    with open(fd, "wb") as file:
        file.write(data)


def read_key_file(path: str | os.PathLike[str]) -> bytes:
    """Its bytes, at most 64 KiB. Raises KeyUnusable."""
    try:
        with open(path, "rb") as file:
            return file.read(65536)
    except (OSError, ValueError) as error:
        raise KeyUnusable(f"can't read the key {os.fspath(path)}: {error}") from None


def signing_key(path: str | os.PathLike[str]) -> Ed25519PrivateKey:
    """The private key in a file: PEM (PKCS #8) or OpenSSH, without a passphrase. Raises KeyUnusable."""
    data = read_key_file(path)
    form = serialization()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    load = form.load_ssh_private_key if b"OPENSSH PRIVATE" in data else form.load_pem_private_key
    try:
        key = load(data, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyUnusable(f"{os.fspath(path)} holds no private key that can be used: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{os.fspath(path)} holds another kind of key, not ed25519")
    return key


def public_key(path: str | os.PathLike[str]) -> bytes:
    """The 32 bytes of the public key in a file: PEM or one line of OpenSSH (`ssh-ed25519 …`). Raises KeyUnusable."""
    data = read_key_file(path)
    form = serialization()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    load = form.load_ssh_public_key if data.startswith(b"ssh-") else form.load_pem_public_key
    try:
        key = load(data)
    except (ValueError, UnsupportedAlgorithm):
        hint = "it is a private key: the file with `.pub` is meant" if b"PRIVATE" in data else ""
        raise KeyUnusable(f"{os.fspath(path)} holds no public key", hint=hint) from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusable(f"{os.fspath(path)} holds another kind of key, not ed25519")
    return raw_public(key)


def raw_public(key: Any) -> bytes:
    """The 32 bytes of a public key."""
    form = serialization()
    return bytes(key.public_bytes(form.Encoding.Raw, form.PublicFormat.Raw))


def fingerprint(public: bytes) -> str:
    """What people compare: `ed25519:` and 32 hex digits of the sha256 of the 32 bytes."""
    return f"ed25519:{sha256(public).hexdigest()[:32]}"
