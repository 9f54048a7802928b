"""Ed25519 keys, for checkpoints of the audit log and approvals of models: made, loaded, and named by what they are."""

import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from monitor.errors import SettingsError

PRIVATE_MODE = 0o600

PASSPHRASE = "AUDIT_KEY_PASSPHRASE"  # noqa: S105 (the variable's name)


def read_passphrase(path: Path | None) -> bytes | None:
    """The first line of a file, or what the environment's `PASSPHRASE` says; None for none."""
    if path is not None:
        return path.read_bytes().split(b"\n")[0] or None
    return os.environb.get(PASSPHRASE.encode()) or None


def make_key(path: Path, passphrase: bytes | None) -> tuple[Path, str]:
    """Write a new private key (PEM, PKCS8, mode 0600) and beside it `PATH.pub`; `(path of the public key, its id)`.

    Raises `SettingsError` when either file exists: a key that signed something must not be lost to a slip.
    """
    public_path = path.with_name(path.name + ".pub")
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for target, content, mode in ((path, private, PRIVATE_MODE), (public_path, public, 0o644)):
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except OSError as error:
            raise SettingsError(f"key {target}: {error.strerror}; name a file that does not exist yet") from None
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    return public_path, key_id(key.public_key())


def load_private(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    """The private key in a PEM file that nobody but its owner can read. Raises `SettingsError`."""
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"key {path}: others may read it; chmod 600 it, or make a new one if they did")
        key = load_pem_private_key(path.read_bytes(), passphrase)
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"key {path}: {error}; name a private key made by `monitor audit keygen`") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"key {path}: {type(key).__name__}; only Ed25519 keys sign here")
    return key


def load_public(paths: Iterable[Path]) -> dict[str, Ed25519PublicKey]:
    """Public keys by id; a key named twice counts once. Raises `SettingsError`."""
    keys: dict[str, Ed25519PublicKey] = {}
    for path in paths:
        try:
            key = load_pem_public_key(path.read_bytes())
        except (OSError, ValueError) as error:
            raise SettingsError(f"public key {path}: {error}; name a .pub file of `monitor audit keygen`") from None
        if not isinstance(key, Ed25519PublicKey):
            raise SettingsError(f"public key {path}: {type(key).__name__}; only Ed25519 keys sign here")
        keys[key_id(key)] = key
    return keys


def key_id(key: Ed25519PublicKey) -> str:
    """SHA-256 of the 32 raw bytes of the public key, as hexadecimal."""
    return sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()
