"""The composition root: the only place where the pure pipeline meets Kafka, Faust, the clock and the pages.

`build` reads and checks everything that can be wrong before a partition is touched, and returns the Faust app that runs it.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
from confluent_kafka.admin import AdminClient
from faust.types import TP
from prometheus_client import CollectorRegistry

from monitor.clock import Clock, SystemClock
from monitor.deciding import DecidingContext
from monitor.errors import MonitorError, TopicError
from monitor.observe.health import Degraded, Health, Limits
from monitor.observe.http import HttpServer
from monitor.observe.metrics import Metrics, PartitionValues
from monitor.partition import Partition, Surroundings
from monitor.settings import Settings
from monitor.takeover import Takeover
from monitor.warm_up import warm_up
from monitor.wire.kafka_config import (
    admin_config,
    client_config,
    faust_brokers,
    faust_credentials,
    producer_config,
    transaction_timeout_ms,
)
from monitor.wire.start import parse_start
from monitor.wire.topics import TopicFacts, check_partitions, inspect, plan
from monitor.wire.transactions import TransactionalWriter

log = logging.getLogger(__name__)

LAG_INTERVAL_S = 2.0
"""How often consumer lag is read."""

COMMIT_INTERVAL_S = 1.0
"""How often the group's offset follows the audit log; it serves lag tools only."""


class Partitions:
    """The partitions that are ours now: what the transport asks (`monitor.wire.transport.Host`), and where chunks go."""

    def __init__(self, settings: Settings, around: Surroundings, store: Callable[[], Any]) -> None:
        self.source_topic = settings.topic_transactions
        self.changelog_topic = settings.changelog_topic
        self._around = around
        self._store = store
        self._held: dict[int, Partition] = {}
        self._kept: dict[int, Partition] = {}
        self._generation = -1

    async def assigned(self, partitions: Sequence[int], generation: int) -> None:
        """Fence them all at once and find their tails."""
        self._around.metrics.record_rebalance(partitions)
        self._around.health.note_assigned(partitions)
        self._generation = generation
        held = {number: Partition(number, self._around) for number in partitions}
        try:
            await asyncio.gather(*(held[number].take(self._kept.get(number)) for number in partitions))
        except MonitorError as error:
            self._around.fatal(error)
            raise
        self._held = held
        for number, partition in held.items():
            # Faust asks right after this how far the state is loaded, and only then for the state to be loaded.
            self._store().adopt(number, partition.accounts, partition.changelog_end)
        for number in set(self._kept) - set(held):
            self._store().drop(number)
        self._kept = {}
        log.info("partitions assigned", extra={"partitions": list(partitions), "generation": generation})

    async def revoked(self, partitions: Sequence[int]) -> None:
        """Let the runs in flight end; keep the state aside, in case the partition comes straight back."""
        leaving = [self._held.pop(number) for number in partitions if number in self._held]
        await asyncio.gather(*(partition.stop() for partition in leaving))
        self._kept = {partition.number: partition for partition in leaving if partition.is_settled}
        self._around.health.note_revoked(partitions)
        for number in partitions:
            self._around.metrics.remove_partition(number)

    async def recover(self, partition: int) -> int:
        """Load the partition's state, serve it through the table, and begin to decide."""
        held = self._held[partition]
        try:
            end = await held.recover()
        except MonitorError as error:
            self._around.fatal(error)
            raise
        self._store().adopt(partition, held.accounts, end)
        self._around.health.note_recovered(partition)
        held.start()
        log.info(
            "partition recovered",
            extra={"partition": partition, "accounts": len(held.accounts), "next_offset": held.next_offset},
        )
        return end

    def next_offset(self, partition: int) -> int:
        """The first offset that is not decided."""
        return self._held[partition].next_offset

    def fetched(self) -> None:
        """A sign of life of the consumer."""
        self._around.health.note_poll()

    async def put(self, event: Any) -> None:
        """Hand a chunk to its partition; one that was fetched in another generation is dropped, and will be read again."""
        partition = self._held.get(event.message.partition)
        if partition is not None and event.message.generation_id == self._generation:
            await partition.put(event)

    @property
    def numbers(self) -> list[int]:
        """The partitions held."""
        return sorted(self._held)


class MonitorApp(faust.App):
    """A Faust app that knows its partitions and serves its pages from the first moment to the last."""

    host: Partitions
    pages: HttpServer

    async def on_start(self) -> None:
        """Serve the pages before anything is recovered: /ready says that it is not."""
        await self.pages.start()
        log.info("serving", extra={"url": self.pages.url})
        await super().on_start()

    async def on_stop(self) -> None:
        """Stop serving last."""
        await super().on_stop()
        await self.pages.stop()


def build(settings: Settings, clock: Clock | None = None, leave: Callable[[int], Any] = os._exit) -> MonitorApp:
    """The worker, checked and wired. `leave` ends the process with an exit code after a fatal error, without any acknowledgement.

    Raises `SettingsError`, `TopicError`, `BrokerError`, `ExchangeError`, `SchemaError`: nothing has been touched then.
    """
    clock = clock or SystemClock()
    facts = _check_topics(settings)
    source = facts[settings.topic_transactions]
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    health = Health(
        clock,
        Limits(
            poll_s=settings.poll_interval_s, run_s=settings.commit_timeout_s * 2, recovery_s=settings.recovery_timeout_s
        ),
    )
    executor = ThreadPoolExecutor(max_workers=2 * source.partitions + 2, thread_name_prefix="monitor")
    deciding = DecidingContext(settings, clock, lambda is_open: metrics.set_breaker("schema_registry", is_open=is_open))
    if deciding.model is None:
        health.note_degraded(Degraded.MODEL, True)
        metrics.set_degraded(Degraded.MODEL, True)
    else:
        health.note_model(deciding.model.version)
        metrics.set_model(deciding.model.version, deciding.model.feature_set)
    warm_up(deciding.context)
    takeover = Takeover(
        config=client_config(settings),
        app_id=settings.app_id,
        topic=settings.topic_transactions,
        topic_id=source.topic_id or "",
        audit_topic=settings.topic_audit,
        changelog_topic=settings.changelog_topic,
        audit_schema_id=deciding.audit_schema_id,
        start=parse_start(settings.start),
        warmup_s=settings.warmup_s,
        writer=lambda name: TransactionalWriter(
            producer_config(settings), name, settings.commit_timeout_s, transaction_timeout_ms(settings)
        ),
        versions=deciding.versions,
        clock=clock,
    )

    def fatal(error: BaseException) -> None:
        code = error.exit_code if isinstance(error, MonitorError) else MonitorError.exit_code
        health.note_fatal(str(error))
        log.critical(
            "leaving",
            extra={"exit_code": code, "error": f"{type(error).__name__}: {error}"},
            exc_info=None if isinstance(error, MonitorError) else error,
        )
        logging.shutdown()
        leave(code)

    around = Surroundings(
        takeover=takeover,
        context=lambda records: deciding.for_run(records, executor),
        executor=executor,
        clock=clock,
        metrics=metrics,
        health=health,
        fatal=fatal,
        max_run_records=settings.max_run_records,
        max_queue_records=settings.max_queue_records,
    )
    app = _faust_app(settings, source)
    table = app.Table(
        "account-state", key_type=bytes, value_type=bytes, default=bytes, partitions=source.partitions,
        help="One record an account; see monitor/state/layout.py.",
    )  # fmt: skip
    table.data.fatal = fatal
    app.host = Partitions(settings, around, lambda: table.data)
    app.pages = HttpServer(settings.http_bind, registry, health)
    transactions = app.topic(settings.topic_transactions, key_serializer="raw", value_serializer="raw")

    @app.agent(transactions, name="decide")
    async def decide(stream: Any) -> None:
        """Hand each chunk to the task of its partition, which takes all that waits as one run."""
        async for event in stream.noack().events():
            await app.host.put(event)

    @app.timer(LAG_INTERVAL_S)  # type: ignore[untyped-decorator]
    async def measure_lag() -> None:
        for number in app.host.numbers:
            metrics.set_partition(number, **_lag(app, settings.topic_transactions, number))

    health.note_started()
    return app


def _check_topics(settings: Settings) -> dict[str, TopicFacts]:
    facts = inspect(AdminClient(admin_config(settings)), [topic.name for topic in plan(settings)])
    missing = [topic.name for topic in plan(settings) if topic.role != "labels" and not facts[topic.name].exists]
    if missing:
        raise TopicError(
            f"topics {', '.join(missing)}: do not exist at {settings.brokers}; `monitor topics create` makes them"
        )
    check_partitions(plan(settings, facts[settings.topic_transactions].partitions), facts)
    return facts


def _faust_app(settings: Settings, source: TopicFacts) -> MonitorApp:
    return MonitorApp(
        settings.app_id,
        broker=faust_brokers(settings, "runs"),
        broker_credentials=faust_credentials(settings),
        store="accounts://",
        datadir=str(settings.data_dir),
        version=1,
        topic_partitions=source.partitions,
        topic_replication_factor=source.replication,
        topic_allow_declare=False,  # topics are made explicitly: `monitor topics create`
        topic_disable_leader=True,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.fetch_max_bytes,
        broker_max_poll_records=min(settings.max_chunk_records, settings.max_run_records),
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_s,
        broker_max_poll_interval=settings.poll_interval_s,
        broker_request_timeout=max(settings.recovery_timeout_s, settings.session_timeout_s),
        broker_commit_interval=COMMIT_INTERVAL_S,
        stream_buffer_maxsize=8,  # chunks
        stream_wait_empty=False,
        stream_processing_timeout=settings.poll_interval_s,
        web_enabled=False,
        autodiscover=False,
        logging_config=None,
    )


def _lag(app: MonitorApp, topic: str, number: int) -> PartitionValues:
    """Records behind the last decided one, and records hidden by an upstream transaction that is still open."""
    thread: Any = app.consumer
    consumer = thread._thread._consumer  # Faust has no way to ask for the last stable offset
    tp = TP(topic, number)
    if consumer is None or tp not in consumer.assignment():
        return {}
    end, stable = consumer.highwater(tp), consumer.last_stable_offset(tp)
    values: PartitionValues = {}
    if end is not None:
        values["lag"] = max(0, end - app.host.next_offset(number))
        if stable is not None and stable >= 0:
            values["unstable"] = max(0, end - stable)
    return values
