"""The bytes of an audit block: schemas/audit-block.avsc, read and written with the shipped schema alone, in one form only.

Every block has exactly one encoding; other bytes that would read as the same block are refused, so whoever holds the bytes
holds the block. The schema id of the frame is the registry's affair: not needed for reading, and not part of the evidence.
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any

import fastavro
import numpy as np
from numpy.typing import NDArray

from monitor.effects.avro import array, long, text
from monitor.effects.decisions import DECISION
from monitor.errors import ProtocolError
from monitor.resources import shipped
from monitor.wire.framing import frame, unframe

FORMAT = 1
"""Of the block; a reader refuses any other."""

_BLOCK = b"\x02"
"""In front of what block_hash is of: neither a leaf nor a node of a Merkle tree."""

_BODY = ("decisions", "transaction_ids", "merkle_root", "previous_hash", "block_hash")
"""Fields after the header: the tree covers the first two, the hash takes the others directly."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Fields of schemas/audit-block.avsc; `decisions` as `DECISION`[records], read-only."""

    format: int
    app_id: str
    topic: str
    topic_id: str
    partition: int
    height: int
    first_offset: int
    last_offset: int
    alerts_from_offset: int
    records: int
    scored: int
    duplicates: int
    dead_letters: int
    alerts: int
    watermark_ms: int
    changelog_records: int
    changelog_tail: bytes
    versions: Mapping[str, str]
    decisions: NDArray[np.void]
    transaction_ids: bytes
    merkle_root: bytes
    previous_hash: bytes
    block_hash: bytes


def encode_header(block: Mapping[str, Any]) -> bytes:
    """The canonical header: the Avro encoding of the fields `format` to `versions`, the map as one block sorted by key."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _schemas()[1], _ordered(block))
    return out.getvalue()


def hash_block(block: Mapping[str, Any]) -> bytes:
    """SHA-256(0x02 || previous_hash || canonical header || merkle_root), 32 bytes."""
    return sha256(_BLOCK + block["previous_hash"] + encode_header(block) + block["merkle_root"]).digest()


def write_block(block: Mapping[str, Any], schema_id: int) -> bytes:
    """The block's fields as a Kafka value: magic, schema id, Avro record."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, _schemas()[0], _ordered(block))
    return frame(schema_id, out.getvalue())


def seal(fields: Mapping[str, Any], schema_id: int) -> tuple[bytes, bytes]:
    """`(Kafka value, block hash)` of a block from its fields but the hash, `decisions` and `transaction_ids` as bytes or memory.

    The same bytes as `hash_block` and `write_block` make, for the worker, where the header is encoded once and without fastavro. Those
    who read a block use the functions above.
    """
    header = b"".join(
        (
            _identity(*[fields[name] for name in _IDENTITY]),
            *[long(fields[name]) for name in _NUMBERS],
            *_sized(fields["changelog_tail"]),
            _versions(*sorted(fields["versions"].items())),
        )
    )
    own = sha256(b"".join((_BLOCK, fields["previous_hash"], header, fields["merkle_root"]))).digest()
    body = [part for name in _BODY[:-1] for part in _sized(fields[name])]
    return b"".join((frame(schema_id, header), *body, *_sized(own))), own


def _sized(content: bytes | bytearray) -> tuple[bytes, bytes | bytearray]:
    """Avro's bytes: how many, and then they."""
    return long(len(content)), content


_IDENTITY = ("format", "app_id", "topic", "topic_id", "partition")
_NUMBERS = (
    "height",
    "first_offset",
    "last_offset",
    "alerts_from_offset",
    "records",
    "scored",
    "duplicates",
    "dead_letters",
    "alerts",
    "watermark_ms",
    "changelog_records",
)
"""Fields of a header, in order: then `changelog_tail` and `versions`."""


@lru_cache(1024)
def _identity(number: int, app_id: str, topic: str, topic_id: str, partition: int) -> bytes:
    """The first fields of a header: the same for all blocks of a partition."""
    return b"".join((long(number), text(app_id), text(topic), text(topic_id), long(partition)))


@lru_cache(64)
def _versions(*ordered: tuple[str, str]) -> bytes:
    """The map at a header's end: the same for all blocks of a worker, but those of `monitor quarantine`."""
    return array([text(key) + text(value) for key, value in ordered])


def read_block(value: bytes) -> Block:
    """The block in a Kafka value, whatever its schema id. Nothing is verified but the form: see `verify_block`.

    Raises `ProtocolError` for bytes that are not the one encoding of a block of format 1.
    """
    try:
        schema_id, payload = unframe(value)
        fields: Any = fastavro.schemaless_reader(io.BytesIO(payload), _schemas()[0], None)
        canonical = write_block(fields, schema_id) == value
    except Exception as error:  # whatever a reader of altered bytes stumbles over
        raise ProtocolError(f"audit block of {len(value)} bytes: not an audit block ({error}); {_ADVICE}") from None
    if not canonical:
        raise ProtocolError(f"audit block of {len(value)} bytes: not in canonical form; {_ADVICE}")
    if fields["format"] != FORMAT:
        raise ProtocolError(
            f"audit block: format {fields['format']}, but this version reads {FORMAT}; upgrade the monitor"
        )
    if len(fields["decisions"]) % DECISION.itemsize:
        raise ProtocolError(
            f"audit block: decisions have {len(fields['decisions'])} bytes, not a multiple of {DECISION.itemsize}; {_ADVICE}"
        )
    fields["decisions"] = np.frombuffer(fields["decisions"], DECISION)
    return Block(**fields)


def fields_of(block: Block) -> dict[str, Any]:
    """The block as the mapping that the functions above take."""
    fields = {name: getattr(block, name) for name in Block.__slots__}
    return {**fields, "decisions": block.decisions.tobytes()}


_ADVICE = "the audit topic was altered, or something else writes to it: compare with a copy before going on"


def _ordered(block: Mapping[str, Any]) -> dict[str, Any]:
    return {**block, "versions": dict(sorted(block["versions"].items()))}


@cache
def _schemas() -> tuple[Any, Any]:
    """`(block, header)` for fastavro; the header is the block's schema without the body, under the same name."""
    schema = json.loads((shipped("schemas") / "audit-block.avsc").read_text(encoding="utf-8"))
    header = {**schema, "fields": [field for field in schema["fields"] if field["name"] not in _BODY]}
    return fastavro.parse_schema(schema), fastavro.parse_schema(header)
