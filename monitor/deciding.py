"""What runs are decided with: model, rules, risk, controls, exchange table, schemas, limits. Read at start; schemas are added as they appear, and the
model, the rules, the book of risk and the controls replaced when there are newer ones: whole, between two runs.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from monitor import __version__, served_vectors, shadow_rules
from monitor.alerting import alerting_name
from monitor.artifacts import Artifacts, Shelf
from monitor.candidate import Candidate
from monitor.clock import Clock
from monitor.context import Context
from monitor.controls.controls import NO_CONTROLS, Controls
from monitor.decide.by_hand import NOTHING_BY_HAND, ByHand
from monitor.effects import shadow
from monitor.effects.names import Names
from monitor.errors import SchemaError
from monitor.guard.validate import Limits
from monitor.money.exchange import load_exchange
from monitor.rails.walled import NONE_WALLED, Walled
from monitor.rules.ruleset import Engine, RuleSet
from monitor.scoring.model import Model
from monitor.settings import Settings
from monitor.shadow_rules import ShadowRules
from monitor.state import layout
from monitor.state.layout import DAY_MS
from monitor.wire.decode import NO_ID, schema_ids
from monitor.wire.hashing import HashKey, hash_bytes
from monitor.wire.records import Records
from monitor.wire.remembered_schemas import RememberedSchemas
from monitor.wire.schema_cache import ReaderCache
from monitor.wire.schema_registry import OnBreaker
from monitor.wire.schema_source import SchemaSource, open_source

log = logging.getLogger(__name__)


class DecidingContext:
    """Builds the `Context` of each run. Raises as `load_exchange` and the schema source do; a refused model is degradation.

    With `on_away` it remembers what a registry said in `data_dir`, and tells whether it is away.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        on_breaker: OnBreaker | None = None,
        on_away: Callable[[bool], None] | None = None,
    ) -> None:
        source = _source_of(settings, on_breaker, on_away)
        self._source, self._settings = source, settings
        self._cache = ReaderCache(source, clock)
        self._one_at_a_time = threading.Lock()  # artifacts and controls are looked for in threads of their own
        self._by_hand = NOTHING_BY_HAND
        self._made: tuple[RuleSet, Mapping[str, tuple[str, ...]], Engine] | None = None
        self._shelf = Shelf(settings)
        self._shelf.look()
        self.alert_schema_id = _our_schema(source, settings, settings.topic_alerts, "alert.avsc")
        _our_schema(source, settings, settings.topic_withheld, "alert.avsc")
        self.audit_schema_id = _our_schema(source, settings, settings.topic_audit, "audit-block.avsc")
        shadow_schema_id = _our_schema(source, settings, settings.topic_shadow, shadow.SCHEMA)
        self.candidate = Candidate(settings.topic_shadow, shadow_schema_id)
        hits_schema_id = _our_schema(source, settings, settings.topic_rule_hits, shadow_rules.SCHEMA)
        self.shadow_rules = ShadowRules(settings.topic_rule_hits, hits_schema_id)
        self._let_watch(self._shelf.held)
        self.vectors_schema_id = _our_schema(source, settings, settings.topic_vectors, served_vectors.SCHEMA)
        exchange = load_exchange(settings.exchange_rates)
        self._fixed = {
            "monitor": __version__,
            "layout": str(layout.VERSION),
            "exchange": f"{exchange.version}@{exchange.digest}",
            "alerting": alerting_name(settings.alert_cooldown_s * 1000),
        }
        held = self._shelf.held
        self._hash_key = HashKey.parse(settings.hash_key.get_secret_value())
        self.context = Context(
            names=_names(settings),
            readers=MappingProxyType({}),
            hash_key=self._hash_key,
            max_value_bytes=settings.max_value_bytes,
            exchange=exchange,
            limits=Limits(settings.max_amount_minor, settings.future_skew_s * 1000),
            idle_ttl_ms=settings.idle_ttl_days * DAY_MS,
            model=held.model,
            risk=held.risk,
            rules=self._engine(held, NO_CONTROLS),
            alert_schema_id=self.alert_schema_id,
            audit_schema_id=self.audit_schema_id,
            dlq_max_bytes=settings.dlq_max_bytes,
            versions=self._versions(held, NO_CONTROLS),
            cooldown_ms=settings.alert_cooldown_s * 1000,
        )

    @property
    def artifacts(self) -> Artifacts:
        """The model and the book of risk of the next run."""
        return self._shelf.held

    @property
    def model(self) -> Model | None:
        """The model of the next run."""
        return self.context.model

    @property
    def versions(self) -> Mapping[str, str]:
        """What the next run's block says it was decided with."""
        return self.context.versions

    def ask(self) -> None:
        """Ask the schema source something it has answered before: whether it is there again. Blocks, and never raises on its account."""
        try:
            _our_schema(self._source, self._settings, self._settings.topic_alerts, "alert.avsc")
        except SchemaError as error:
            log.warning("the schema source", extra={"error": str(error)})

    def look(self) -> bool:
        """Take newer artifacts, if there are any, for the next run; whether anything changed. Blocks while they are read."""
        if not self._shelf.look():
            return False
        self._let_watch(self._shelf.held)
        with self._one_at_a_time:
            self._renew(self._shelf.held, self.context.controls)
        return True

    def take(self, controls: Controls) -> None:
        """Decide the next runs with these controls."""
        with self._one_at_a_time:
            self._renew(self._shelf.held, controls)

    def _renew(self, held: Artifacts, controls: Controls) -> None:
        # one assignment: a run that begins meanwhile takes the old context or the new one, whole
        self.context = replace(
            self.context,
            model=held.model,
            risk=held.risk,
            rules=self._engine(held, controls),
            by_hand=self.by_hand_of(controls),
            versions=self._versions(held, controls),
        )

    def _let_watch(self, held: Artifacts) -> None:
        """Those on the sideline follow what is held."""
        self.candidate.model, self.shadow_rules.rules = held.candidate, held.rules

    def _versions(self, held: Artifacts, controls: Controls) -> Mapping[str, str]:
        model = held.model
        chosen = {
            "model": "" if model is None else model.version,
            "feature_set": "" if model is None else model.feature_set,
            "risk": held.risk.version,
            "rules": "" if held.rules is None else held.rules.name,
            "rails": NONE_WALLED.name,
            "controls": controls.version,
        }
        return MappingProxyType(self._fixed | chosen)

    def _engine(self, held: Artifacts, controls: Controls) -> Engine | None:
        return None if held.rules is None else self.engine_of(held.rules, controls)

    def engine_of(self, rules: RuleSet, controls: Controls = NO_CONTROLS) -> Engine:
        """The rules, with the words that controls add to their lists, ready for runs that this context is of. The last one is kept: most controls touch no list."""
        if self._made is not None and self._made[0] is rules and self._made[1] == controls.lists:
            return self._made[2]
        engine = Engine(rules, lambda text: hash_bytes(text.encode(), self._hash_key), controls.lists)
        self._made = (rules, controls.lists, engine)
        return engine

    def by_hand_of(self, controls: Controls) -> ByHand:
        """The controls, ready for runs that this context is of. The last ones are kept."""
        if self._by_hand.controls is not controls:
            self._by_hand = ByHand(controls, lambda text: hash_bytes(text.encode(), self._hash_key))
        return self._by_hand

    def for_records(self, records: Records) -> Context:
        """The context for these records; blocks while the schema source is asked for ids that were never seen."""
        return replace(self.context, readers=self._cache.resolve(_schema_ids(records)))

    async def for_run(
        self, records: Records, executor: Executor, walled_now: Callable[[], Walled] = lambda: NONE_WALLED
    ) -> Context:
        """The same, for an event loop: what must be asked is asked in a thread of `executor`. `walled_now`: the rails that are off, once it was."""
        ids = _schema_ids(records)
        if not self._cache.knows(ids):
            await asyncio.get_running_loop().run_in_executor(executor, self._cache.resolve, ids)
        context, walled = self.context, walled_now()
        versions = MappingProxyType({**context.versions, "rails": walled.name}) if walled.channels else context.versions
        return replace(context, readers=self._cache.readers, walled=walled, versions=versions)


def _schema_ids(records: Records) -> set[int]:
    """The ids in the headers of the records' values; what has no header is the decoder's affair."""
    return set(np.unique(schema_ids(records.values)).tolist()) - {NO_ID}


def _names(settings: Settings) -> Names:
    return Names(
        app_id=settings.app_id,
        alerts=settings.topic_alerts,
        withheld=settings.topic_withheld,
        dlq=settings.topic_dlq,
        audit=settings.topic_audit,
        changelog=settings.changelog_topic,
    )


def _source_of(
    settings: Settings, on_breaker: OnBreaker | None, on_away: Callable[[bool], None] | None
) -> SchemaSource:
    source = open_source(settings, on_breaker)
    if on_away is None or settings.schema_registry_url is None:
        return source
    return RememberedSchemas(source, settings.schema_registry_url, settings.data_dir / "schemas.json", on_away)


def _our_schema(source: SchemaSource, settings: Settings, topic: str, file: str) -> int:
    return source.id_of(f"{topic}-value", (settings.schemas_dir / file).read_text())
