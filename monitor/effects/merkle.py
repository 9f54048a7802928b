"""The Merkle tree of RFC 6962, section 2.1, with SHA-256: what makes one decision provable without showing the others.

A leaf hashes as SHA-256(0x00 || entry), a node as SHA-256(0x01 || left || right), and no leaf can pass for a node. A tree of n
leaves splits at the largest power of two below n; pairing level by level and carrying an odd last hash up gives the same tree.
"""

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32

LEAF, NODE = b"\x00", b"\x01"
"""Domain separation: in front of an entry, and of two hashes."""

EMPTY_ROOT = sha256(b"").digest()
"""Of a tree without leaves."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry, 32 bytes."""
    return sha256(LEAF + entry).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, 32 bytes each; of none: `EMPTY_ROOT`."""
    level = list(hashes)
    while len(level) > 1:
        odd = [level[-1]] if len(level) % 2 else []
        level = [sha256(NODE + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0] if level else EMPTY_ROOT
