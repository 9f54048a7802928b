"""Where writers' schemas come from: a Schema Registry, or files. Both keep the same promises (one contract suite)."""

from typing import Protocol

from monitor.settings import Settings
from monitor.wire.schema_files import FileSchemas
from monitor.wire.schema_registry import OnBreaker, RegistrySchemas


class SchemaSource(Protocol):
    """Schemas by id, and ids by schema. Ids are what the header of a Kafka value names; one never changes its schema."""

    def writer_schema(self, schema_id: int) -> str:
        """The Avro JSON of a schema. May block.

        Raises `SchemaUnknown` when the source says that there is none, `SchemaUnavailable` when it does not say, and
        `SchemaIncompatible` when there is one that is not Avro, or not in one piece.
        """
        ...

    def id_of(self, subject: str, schema: str) -> int:
        """The id of `schema` (Avro JSON) under `subject` (TOPIC-value), registered where the source may. May block.

        Raises `SchemaUnknown` when it is not there and may not be registered, `SchemaIncompatible` when it is refused,
        `SchemaUnavailable`.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


def open_source(settings: Settings, on_breaker: OnBreaker | None = None) -> SchemaSource:
    """The source that the settings name: the registry where there is a URL, else the files of `schemas_dir`.

    `on_breaker` hears whether the registry's breaker is open, each time that changes. Raises `SchemaError` for a directory
    without a usable ids.json.
    """
    if settings.schema_registry_url is None:
        return FileSchemas(settings.schemas_dir)
    password = settings.schema_registry_password
    return RegistrySchemas(
        settings.schema_registry_url,
        user=settings.schema_registry_user,
        password=password.get_secret_value() if password else None,
        register=settings.schema_auto_register,
        on_breaker=on_breaker,
    )
