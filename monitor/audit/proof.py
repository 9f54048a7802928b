"""Proofs that one decision stands in a block: the audit path of RFC 6962, section 2.1.1, and the JSON that carries it.

The JSON is complete: with a block hash or a checkpoint's public key that the reader trusts, `examples/verify_proof.py`
checks it with Python's standard library alone.
"""

import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from monitor.effects import merkle
from monitor.effects.block import Block, encode_header, fields_of
from monitor.effects.decisions import DECISION, entries

FORMAT = 1
"""Of the JSON."""

OUTCOMES = ("approve", "review", "block")
DISPOSITIONS = ("scored", "duplicate", "dead letter")


def audit_path(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The sibling hashes from leaf `index` up to the root, 32 bytes each; `hashes` are leaf hashes. Raises `IndexError`."""
    if not 0 <= index < len(hashes):
        raise IndexError(f"leaf {index} of a tree of {len(hashes)}")
    path, level, at = [], list(hashes), index
    while len(level) > 1:
        sibling = at ^ 1
        if sibling < len(level):  # an odd last hash is carried up without one
            path.append(level[sibling])
        odd = [level[-1]] if len(level) % 2 else []
        level = [sha256(merkle.NODE + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)] + odd
        at //= 2
    return path


def root_of_path(leaf_hash: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to (RFC 9162, section 2.1.3.2), None when the path does not fit `index` and `size`."""
    if not 0 <= index < size:
        return None
    at, last, found, rest = index, size - 1, leaf_hash, list(path)
    while last:
        if at % 2 or at < last:
            if not rest:
                return None
            sibling = rest.pop(0)
            pair = sibling + found if at % 2 else found + sibling
            found = sha256(merkle.NODE + pair).digest()
        at, last = at // 2, last // 2
    return found if not rest else None


def indexes_of(block: Block, transaction_id: bytes) -> list[int]:
    """Where in the block decisions with this transaction id stand; several when a payment was sent again."""
    if not transaction_id or transaction_id not in block.transaction_ids:
        return []
    ends = np.cumsum(block.decisions["id_length"].astype(np.int64)).tolist()
    texts = block.transaction_ids
    return [
        index
        for index, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True))
        if texts[start:end] == transaction_id
    ]


def proof_of(block: Block, index: int) -> dict[str, Any]:
    """The proof of one decision as JSON; bytes as hexadecimal. `chain` is left empty: see `link_of`."""
    leaf_entries = entries(block.decisions, np.frombuffer(block.transaction_ids, np.uint8))
    path = audit_path([merkle.leaf_hash(entry) for entry in leaf_entries], index)
    return {
        "entry": leaf_entries[index].hex(),
        "decision": decoded(leaf_entries[index]),
        "leaf_index": index,
        "tree_size": block.records,
        "path": [each.hex() for each in path],
        "block": {
            "partition": block.partition,
            "height": block.height,
            "header": encode_header(fields_of(block)).hex(),
            "merkle_root": block.merkle_root.hex(),
            "previous_hash": block.previous_hash.hex(),
            "block_hash": block.block_hash.hex(),
        },
        "chain": [],
    }


def link_of(block: Block) -> dict[str, str]:
    """What a chain needs of a later block: SHA-256(02 || hash before || header || merkle_root) is its hash."""
    return {"header": encode_header(fields_of(block)).hex(), "merkle_root": block.merkle_root.hex()}


def decoded(entry: bytes) -> dict[str, Any]:
    """A Merkle entry in words, for people; only the entry's bytes are proved."""
    (decision,) = np.frombuffer(entry[: DECISION.itemsize], DECISION)
    score = float(decision["score"])
    return {
        "transaction_id": entry[DECISION.itemsize :].decode(errors="replace"),
        "offset": int(decision["offset"]),
        "score": None if math.isnan(score) else score,
        "disposition": _word(DISPOSITIONS, int(decision["disposition"])),
        "outcome": _word(OUTCOMES, int(decision["outcome"])),
        **{name: int(decision[name]) for name in ("reason", "degraded", "suppression", "flags")},
    }


def _word(words: Sequence[str], number: int) -> str:
    return words[number] if number < len(words) else f"unknown ({number})"
