"""A schema source, and what it answered before: a worker starts, and reads the schemas that it knew, while the source is away.

The source is asked first, always; only when it does not answer counts what it said last time, kept in a file on this machine. What it never said is not known,
and a "no such schema" is an answer. The file may be lost at any time: then a start needs the source, as the first one did.
"""

import json
import logging
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from monitor.errors import ArtifactError, SchemaError, SchemaUnavailable
from monitor.sealed import read_bounded, read_json, write_durably
from monitor.wire.schema_source import SchemaSource

log = logging.getLogger(__name__)

MOST = 2_000
"""Answers that are kept of each sort: altered records name ids at random."""

MAX_BYTES = 64 << 20


class RememberedSchemas:
    """`source` with the memory in `path`, which is of the source that `where` names: of another it is forgotten. `on_away` hears whether the
    last question was answered from memory, or not at all.
    """

    def __init__(
        self, source: SchemaSource, where: str, path: Path, on_away: Callable[[bool], None] = lambda _away: None
    ) -> None:
        self._source, self._where, self._path, self._on_away = source, where, path, on_away
        self._lock = threading.Lock()
        self._schemas: dict[str, str] = {}
        self._ids: dict[str, int] = {}
        self._load()

    def writer_schema(self, schema_id: int) -> str:
        """As `SchemaSource` says; `SchemaUnavailable` only for an id that was never answered."""
        found: str = self._asked(lambda: self._source.writer_schema(schema_id), self._schemas, str(schema_id))
        return found

    def id_of(self, subject: str, schema: str) -> int:
        """As `SchemaSource` says; `SchemaUnavailable` only for a schema that was never registered from here."""
        compact = json.dumps(json.loads(schema), separators=(",", ":"), sort_keys=True)
        key = f"{subject} {sha256(compact.encode()).hexdigest()}"
        found: int = self._asked(lambda: self._source.id_of(subject, schema), self._ids, key)
        return found

    def close(self) -> None:
        """Let go of the source's connections."""
        self._source.close()

    def _asked(self, ask: Callable[[], Any], memory: dict[str, Any], key: str) -> Any:
        try:
            found = ask()
        except SchemaUnavailable as error:
            self._on_away(True)
            if key not in memory:
                raise
            log.warning("answered from memory", extra={"schema": key, "error": str(error)})
            return memory[key]
        except SchemaError:
            self._on_away(False)  # that was an answer
            raise
        self._on_away(False)
        with self._lock:
            if memory.get(key) != found:
                memory[key] = found
                while len(memory) > MOST:
                    memory.pop(next(iter(memory)))
                self._save()
        return found

    def _load(self) -> None:
        """What cannot be read is forgotten: it is only a memory."""
        if not self._path.exists():
            return
        try:
            kept = read_json(read_bounded(self._path, MAX_BYTES), self._path)
            schemas, ids = kept["schemas"], kept["ids"]
            sound = all(type(each) is str for each in schemas.values()) and all(type(i) is int for i in ids.values())
        except (ArtifactError, KeyError, AttributeError):
            sound = False
        if sound and kept.get("where") == self._where:
            self._schemas, self._ids = dict(schemas), dict(ids)
        else:
            log.warning("memory of schemas not used", extra={"path": str(self._path)})

    def _save(self) -> None:
        kept = {"where": self._where, "schemas": self._schemas, "ids": self._ids}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            waiting = self._path.with_name(f".{self._path.name}.new")
            write_durably(waiting, json.dumps(kept).encode())
            waiting.replace(self._path)
        except OSError as error:
            log.warning("memory of schemas not kept", extra={"path": str(self._path), "error": str(error)})
