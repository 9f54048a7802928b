"""Schemas in a directory: .avsc files, and `ids.json`, which gives each an id. The default, with no registry to run.

`ids.json` maps ids (decimal, as text) to `{"file": "transaction.avsc", "subject_suffix": "-value"}`. Files may be named by
several ids, and an evolved schema is a further file with an id of its own. The directory is read once.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from monitor.errors import SchemaError, SchemaUnknown

INDEX = "ids.json"
_LARGEST_ID = 2**31 - 1


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    file: str
    subject_suffix: str


_LINES = TypeAdapter(dict[str, _Line])


@dataclass(frozen=True, slots=True)
class _Schema:
    text: str
    parsed: Any
    subject_suffix: str


class FileSchemas:
    """The schemas of `directory`. Raises `SchemaError` naming the file and the fix where it cannot be used."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        index = directory / INDEX
        try:
            lines = _LINES.validate_json(index.read_bytes())
        except OSError as error:
            raise SchemaError(
                f"{index}: cannot be read ({error.strerror}); set schemas_dir to a directory with one"
            ) from None
        except ValidationError as error:
            what = error.errors()[0]
            where = ".".join(str(part) for part in what["loc"]) or "the file"
            raise SchemaError(f"{index}: {where}: {what['msg']}; each id needs a file and a subject_suffix") from None
        self._schemas = {self._id(name): self._load(line) for name, line in lines.items()}

    def writer_schema(self, schema_id: int) -> str:
        """The schema's text. Raises `SchemaUnknown`."""
        if schema_id not in self._schemas:
            raise SchemaUnknown(f"schema id {schema_id}: not in {self._directory / INDEX}; add it with its .avsc file")
        return self._schemas[schema_id].text

    def id_of(self, subject: str, schema: str) -> int:
        """The first id with this schema, whatever its spacing and order of keys, and a suffix of `subject`. Raises `SchemaUnknown`."""
        wanted = json.loads(schema)
        for schema_id, each in self._schemas.items():
            if each.parsed == wanted and subject.endswith(each.subject_suffix):
                return schema_id
        raise SchemaUnknown(
            f"subject {subject}: {self._directory / INDEX} has no id for this schema; add one that names its .avsc file"
        )

    def close(self) -> None:
        """Nothing is held open."""

    def _id(self, name: str) -> int:
        if not (name.isascii() and name.isdigit() and 0 < int(name) <= _LARGEST_ID):
            raise SchemaError(
                f"{self._directory / INDEX}: id {name!r}; an id is a whole number from 1 to {_LARGEST_ID}"
            )
        return int(name)

    def _load(self, line: _Line) -> _Schema:
        path = self._directory / line.file
        if path.parent != self._directory:
            raise SchemaError(f"{self._directory / INDEX}: file {line.file!r}; name a file of the same directory")
        try:
            text = path.read_text()
            return _Schema(text, json.loads(text), line.subject_suffix)
        except OSError as error:
            raise SchemaError(
                f"{path}: cannot be read ({error.strerror}), but {INDEX} names it; add the file"
            ) from None
        except ValueError as error:
            raise SchemaError(f"{path}: not JSON ({error}); fix that line") from None
