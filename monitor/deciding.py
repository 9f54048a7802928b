"""What runs are decided with: model, exchange table, schemas, limits. Read once at start; schemas are added as they appear."""

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from monitor import __version__
from monitor.clock import Clock
from monitor.errors import ArtifactError
from monitor.guard.validate import Limits
from monitor.money.exchange import load_exchange
from monitor.pipeline import Context, Names
from monitor.scoring.artifact import load_model
from monitor.scoring.model import Model
from monitor.settings import Settings
from monitor.state import layout
from monitor.state.layout import DAY_MS
from monitor.wire.decode import NO_ID, schema_ids
from monitor.wire.hashing import HashKey
from monitor.wire.records import Records
from monitor.wire.schema_cache import ReaderCache
from monitor.wire.schema_registry import OnBreaker
from monitor.wire.schema_source import SchemaSource, open_source

log = logging.getLogger(__name__)


class DecidingContext:
    """Builds the `Context` of each run. Raises as `load_exchange` and the schema source do; a refused model is degradation."""

    def __init__(self, settings: Settings, clock: Clock, on_breaker: OnBreaker | None = None) -> None:
        source = open_source(settings, on_breaker)
        self._cache = ReaderCache(source, clock)
        self.model = _load_model(settings)
        self.alert_schema_id = _our_schema(source, settings, settings.topic_alerts, "alert.avsc")
        self.audit_schema_id = _our_schema(source, settings, settings.topic_audit, "audit-block.avsc")
        exchange = load_exchange(settings.exchange_rates)
        self.versions = MappingProxyType(
            {
                "monitor": __version__,
                "layout": str(layout.VERSION),
                "exchange": f"{exchange.version}@{exchange.digest}",
                "model": "" if self.model is None else self.model.version,
                "feature_set": "" if self.model is None else self.model.feature_set,
            }
        )
        self.context = Context(
            names=Names(
                app_id=settings.app_id,
                alerts=settings.topic_alerts,
                dlq=settings.topic_dlq,
                audit=settings.topic_audit,
                changelog=settings.changelog_topic,
            ),
            readers=MappingProxyType({}),
            hash_key=HashKey.parse(settings.hash_key.get_secret_value()),
            max_value_bytes=settings.max_value_bytes,
            exchange=exchange,
            limits=Limits(settings.max_amount_minor, settings.future_skew_s * 1000),
            idle_ttl_ms=settings.idle_ttl_days * DAY_MS,
            model=self.model,
            alert_schema_id=self.alert_schema_id,
            audit_schema_id=self.audit_schema_id,
            dlq_max_bytes=settings.dlq_max_bytes,
            versions=self.versions,
        )

    def for_records(self, records: Records) -> Context:
        """The context for these records; blocks while the schema source is asked for ids that were never seen."""
        return replace(self.context, readers=self._cache.resolve(_schema_ids(records)))

    async def for_run(self, records: Records, executor: Executor) -> Context:
        """The same, for an event loop: what must be asked is asked in a thread of `executor`."""
        ids = _schema_ids(records)
        if not self._cache.knows(ids):
            await asyncio.get_running_loop().run_in_executor(executor, self._cache.resolve, ids)
        return replace(self.context, readers=self._cache.readers)


def _schema_ids(records: Records) -> set[int]:
    """The ids in the headers of the records' values; what has no header is the decoder's affair."""
    return set(np.unique(schema_ids(records.values)).tolist()) - {NO_ID}


def _load_model(settings: Settings) -> Model | None:
    try:
        return load_model(settings.models_dir)
    except ArtifactError as error:
        log.exception("no model: deciding without scores", extra={"error": str(error)})
        return None


def _our_schema(source: SchemaSource, settings: Settings, topic: str, file: str) -> int:
    return source.id_of(f"{topic}-value", (settings.schemas_dir / file).read_text())
