"""An export of the audit topic: one Avro object container file of (partition, offset, value), closed by a digest.

Partition by partition, each in offset order. The container is the standard one, with codec null; the last record has
partition -1 and as its value the SHA-256 of all before it, so that a damaged copy is told from an altered log. The digest proves
nothing about who wrote the file: the blocks' own hashes and signed checkpoints do. Format: docs/audit.md.
"""

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import fastavro

from monitor.audit.stored import Stored
from monitor.errors import ProtocolError

SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "StoredBlock",
    "namespace": "monitor.v1",
    "fields": [
        {"name": "partition", "type": "int"},
        {"name": "offset", "type": "long"},
        {"name": "value", "type": "bytes"},
    ],
}

CLOSING = -1
"""The partition of the record that holds the digest."""

ABOUT = "monitor.audit"
"""Key of our entry in the container's metadata: JSON with `audit_topic` and `partitions`."""

MAGIC = b"Obj\x01"
"""Of Avro's container, version 1."""

_SYNC_BYTES = 1 << 20


@dataclass(slots=True)
class _Digest:
    """Over what an export says: the container's metadata, as JSON with sorted keys and no spaces, then each record."""

    metadata: Mapping[str, str]
    _sum: Any = field(init=False)

    def __post_init__(self) -> None:
        self._sum = sha256(json.dumps(dict(self.metadata), sort_keys=True, separators=(",", ":")).encode())

    def add(self, stored: Stored) -> None:
        """One more record: partition and offset as 8 bytes each, big-endian, the value's length likewise, the value."""
        for number in (stored.partition, stored.offset, len(stored.value)):
            self._sum.update(number.to_bytes(8, signed=True))
        self._sum.update(stored.value)

    def close(self) -> bytes:
        """32 bytes."""
        found: bytes = self._sum.digest()
        return found


def write_export(path: Path, audit_topic: str, partitions: Sequence[int], blocks: Iterable[Stored]) -> int:
    """Write `blocks`, in the order they come, to `path`, whole or not at all; returns how many. Streams: one block in memory."""
    about = json.dumps({"audit_topic": audit_topic, "partitions": list(partitions)}, sort_keys=True)
    digest, count = _Digest(_metadata_of(about)), 0

    def records() -> Iterator[dict[str, Any]]:
        nonlocal count
        for stored in blocks:
            digest.add(stored)
            count += 1
            yield stored._asdict()
        yield {"partition": CLOSING, "offset": count, "value": digest.close()}

    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as out:
            fastavro.writer(
                out, fastavro.parse_schema(SCHEMA), records(), metadata={ABOUT: about}, sync_interval=_SYNC_BYTES
            )
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


class Export:
    """An export, opened: `audit_topic` and `partitions` are what it says of itself. Raises `ProtocolError` when it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as opened:
            self._metadata = dict(_reader(opened, path).metadata)
        try:
            about = json.loads(self._metadata[ABOUT])
            self.audit_topic = str(about["audit_topic"])
            self.partitions = [int(each) for each in about["partitions"]]
        except (ValueError, KeyError, TypeError):
            raise _damaged(path, f"its metadata say nothing of an audit topic: {sorted(self._metadata)}") from None

    def blocks(self, partitions: Sequence[int] | None = None) -> Iterator[Stored]:
        """The blocks (of some partitions only) as they lie there. The digest is checked at the end: raises `ProtocolError`."""
        digest, count, closing = _Digest(self._metadata), 0, None
        with self.path.open("rb") as opened:
            for record in _records(_reader(opened, self.path), self.path):
                if closing is not None:
                    raise _damaged(self.path, "something follows its closing record")
                if record.partition == CLOSING:
                    closing = record
                    continue
                digest.add(record)
                count += 1
                if partitions is None or record.partition in partitions:
                    yield record
        if closing is None:
            raise _damaged(self.path, f"it ends after {count} blocks without its closing record")
        if (closing.offset, closing.value) != (count, digest.close()):
            raise _damaged(self.path, f"its {count} blocks do not give the digest it was closed with")


def _reader(opened: Any, path: Path) -> Any:
    try:
        magic = opened.read(len(MAGIC))
        opened.seek(0)
        reader = fastavro.reader(opened)  # which takes any magic
    except Exception as error:  # whatever a reader of damaged bytes stumbles over
        raise _damaged(path, f"no Avro container ({error})") from None
    if magic != MAGIC or reader.codec != "null":
        raise _damaged(
            path, f"begins with {magic!r}, codec {reader.codec}; an export begins with {MAGIC!r}, codec null"
        )
    return reader


def _metadata_of(about: str) -> Mapping[str, str]:
    """What the container will hold beside the blocks, as its reader will see it."""
    plain = io.BytesIO()
    fastavro.writer(plain, fastavro.parse_schema(SCHEMA), [], metadata={ABOUT: about})
    plain.seek(0)
    return dict(fastavro.reader(plain).metadata)


def _records(reader: Any, path: Path) -> Iterator[Stored]:
    records = iter(reader)
    while True:
        try:
            record = next(records, None)
            stored = None if record is None else Stored(**record)
        except Exception as error:  # as above
            raise _damaged(path, f"not readable ({error})") from None
        if stored is None:
            return
        yield stored


def _damaged(path: Path, what: str) -> ProtocolError:
    return ProtocolError(f"export {path}: {what}; the copy is damaged or was altered: fetch it again, or export anew")
