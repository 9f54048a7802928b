"""The composition root: the only place where the pure pipeline meets Kafka, Faust, the clock and the pages.

`build` reads and checks everything that can be wrong before a partition is touched, and returns the Faust app that runs it.
"""

import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import faust
from confluent_kafka.admin import AdminClient
from faust.types import TP
from prometheus_client import CollectorRegistry

from monitor.clock import Clock, SystemClock
from monitor.controls.topic import ControlsFollower
from monitor.controls_lookout import begin_to_follow, end_following, keep_following
from monitor.deciding import DecidingContext
from monitor.errors import MonitorError, TopicError
from monitor.failpoints import Reach, arm, pass_by
from monitor.host import Partitions
from monitor.lookout import keep_looking, note_artifacts, note_degraded
from monitor.observe.health import Degraded, Health, Limits
from monitor.observe.http import HttpServer
from monitor.observe.metrics import Metrics
from monitor.observe.partition_values import PartitionValues
from monitor.partition import Surroundings
from monitor.rail_lookout import keep_watching_rails, rail_limits
from monitor.rails.watch import RailWatch
from monitor.served_vectors import ServedVectors
from monitor.settings import Settings
from monitor.shedding import Shedding
from monitor.sideline import Sideline, Watcher
from monitor.takeover import Takeover
from monitor.warm_up import warm_up
from monitor.wire.assignor import Assignor
from monitor.wire.attempts import Attempts
from monitor.wire.best_effort import BestEffortWriter
from monitor.wire.kafka_config import (
    admin_config,
    client_config,
    faust_brokers,
    faust_credentials,
    producer_config,
    transaction_timeout_ms,
)
from monitor.wire.kafka_log import KafkaLog
from monitor.wire.start import parse_start
from monitor.wire.topics import OPTIONAL, TopicFacts, check_compaction, check_partitions, inspect, plan
from monitor.wire.transactions import TransactionalWriter

log = logging.getLogger(__name__)

LAG_INTERVAL_S = 2.0
"""How often consumer lag is read."""

SOURCE_CHECK_S = 10.0
"""How often it is asked whether the source topic is still the same one: the client would read on in another without a word."""

NEVER_S = 10 * 86_400.0
"""Seconds; as long as Kafka's protocol can say, about."""

RECOVERY_MARGIN_S = 60.0
"""Faust gives up a recovery silently, and goes on without state: ours must end first, and loudly."""

COMMIT_INTERVAL_S = 1.0
"""How often the group's offset follows the audit log; it serves lag tools only."""


class MonitorApp(faust.App):
    """A Faust app that knows its partitions and serves its pages from the first moment to the last."""

    host: Partitions
    pages: HttpServer
    sideline: Sideline
    controls: ControlsFollower

    async def on_start(self) -> None:
        """Serve the pages before anything is recovered: /ready says that it is not."""
        await self.pages.start()
        log.info("serving", extra={"url": self.pages.url})
        await super().on_start()

    async def on_stop(self) -> None:
        """Let the runs in flight commit first, and stop serving last."""
        await self.host.stop()
        self.sideline.stop()
        await super().on_stop()
        await end_following(self.controls)
        await self.pages.stop()


def build(settings: Settings, clock: Clock | None = None, leave: Callable[[int], Any] = os._exit) -> MonitorApp:
    """The worker, checked and wired. `leave` ends the process with an exit code after a fatal error, without any acknowledgement.

    Raises `SettingsError`, `TopicError`, `BrokerError`, `ExchangeError`, `SchemaError`: nothing has been touched then.
    """
    clock = clock or SystemClock()
    source = (topics := _check_topics(settings))[settings.topic_transactions]
    registry = CollectorRegistry()
    metrics, health = Metrics(registry), Health(clock, _limits(settings))
    reach = arm(settings.failpoints)
    executor = ThreadPoolExecutor(max_workers=2 * source.partitions + 2, thread_name_prefix="monitor")
    metrics.set_breaker("schema_registry", is_open=False)
    deciding = DecidingContext(
        settings,
        clock,
        lambda is_open: metrics.set_breaker("schema_registry", is_open=is_open),
        lambda away: note_degraded(Degraded.SCHEMAS, away, health, metrics),
    )
    note_artifacts(deciding.artifacts, deciding.context.risk_kinds, health, metrics, clock)
    controls = begin_to_follow(settings, topics[settings.topic_controls], deciding, health, metrics)
    warm_up(deciding.context)
    rails = RailWatch(rail_limits(settings))
    around = Surroundings(
        takeover=takeover_of(settings, deciding, clock, reach),
        context=lambda records: deciding.for_run(records, executor, lambda: rails.walled),
        executor=executor,
        clock=clock,
        metrics=metrics,
        health=health,
        fatal=_fatal(health, leave),
        max_run_records=settings.max_run_records,
        max_queue_records=settings.max_queue_records,
        recovery_timeout_s=settings.recovery_timeout_s,
        reach=reach,
        partitions=source.partitions,
        sideline=Sideline(_watchers(settings, deciding), BestEffortWriter(producer_config(settings)), metrics.model),
        rails=rails,
        shedding=Shedding(settings.shed_after_s),
    )
    app = _faust_app(settings, source)
    table: Any = app.Table(
        "account-state", key_type=bytes, value_type=bytes, default=bytes, partitions=source.partitions,
        help="One record an account; see monitor/state/layout.py.",
    )  # fmt: skip
    table.data.fatal = around.fatal
    app.host = Partitions(settings, around, lambda: table.data, source.topic_id or "")
    app.sideline, app.controls = around.sideline, controls
    app.pages = HttpServer(settings.http_bind, registry, health)
    _listen(app, settings.topic_transactions, metrics)
    keep_watching_rails(app, around, lambda: deciding.context.controls.rails)
    keep_looking(app, settings, deciding, around)
    keep_following(app, settings.controls_check_s, controls, deciding, around)
    health.note_started()
    return app


def _limits(settings: Settings) -> Limits:
    return Limits(
        poll_s=settings.poll_interval_s, run_s=settings.commit_timeout_s * 2, recovery_s=settings.recovery_timeout_s
    )


def _watchers(settings: Settings, deciding: DecidingContext) -> tuple[Watcher, ...]:
    """Who looks at runs from the sideline."""
    vectors = ServedVectors(settings.topic_vectors, deciding.vectors_schema_id, settings.vectors_sample)
    return deciding.candidate, deciding.shadow_rules, vectors


def takeover_of(settings: Settings, deciding: DecidingContext, clock: Clock, reach: Reach = pass_by) -> Takeover:
    """How partitions are taken over in this installation."""
    return Takeover(
        log=KafkaLog(client_config(settings)),
        app_id=settings.app_id,
        topic=settings.topic_transactions,
        audit_topic=settings.topic_audit,
        changelog_topic=settings.changelog_topic,
        audit_schema_id=deciding.audit_schema_id,
        start=parse_start(settings.start),
        warmup_s=settings.warmup_s,
        writer=lambda name: TransactionalWriter(
            producer_config(settings),
            name,
            settings.commit_timeout_s,
            transaction_timeout_ms(settings),
            fence_timeout_s=min(settings.commit_timeout_s, settings.session_timeout_s / 2),
            reach=reach,
        ),
        versions=deciding.versions,
        clock=clock,
        attempts=Attempts(client_config(settings), settings.app_id, settings.topic_transactions).note,
        reach=reach,
    )


def _fatal(health: Health, leave: Callable[[int], Any]) -> Callable[[BaseException], None]:
    """What ends the process: it says why, and leaves with the error's exit code."""

    def fatal(error: BaseException) -> None:
        code = error.exit_code if isinstance(error, MonitorError) else MonitorError.exit_code
        health.note_fatal(str(error))
        log.critical(
            "leaving",
            extra={
                "exit_code": code,
                "error": "; ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())]),
            },
            exc_info=None if isinstance(error, MonitorError) else error,
        )
        logging.shutdown()
        leave(code)

    return fatal


def _listen(app: MonitorApp, topic: str, metrics: Metrics) -> None:
    """The agent that chunks come to, and the timer that reads the lag."""

    @app.agent(app.topic(topic, key_serializer="raw", value_serializer="raw"), name="decide")
    async def decide(stream: Any) -> None:
        """Hand each chunk to the task of its partition, which takes all that waits as one run."""
        async for event in stream.noack().events():
            app.host.put(event)

    @app.timer(LAG_INTERVAL_S)  # type: ignore[untyped-decorator]
    async def measure_lag() -> None:
        for number in app.host.numbers:
            metrics.set_partition(number, **_lag(app, topic, number))

    @app.timer(SOURCE_CHECK_S)  # type: ignore[untyped-decorator]
    async def check_source() -> None:
        await app.host.check_source()


def _check_topics(settings: Settings) -> dict[str, TopicFacts]:
    facts = inspect(AdminClient(admin_config(settings)), [topic.name for topic in plan(settings)])
    missing = [topic.name for topic in plan(settings) if topic.role not in OPTIONAL and not facts[topic.name].exists]
    if missing:
        raise TopicError(
            f"topics {', '.join(missing)}: do not exist at {settings.brokers}; `monitor topics create` makes them"
        )
    check_partitions(plan(settings, facts[settings.topic_transactions].partitions), facts)
    check_compaction(facts[settings.changelog_topic])
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
        PartitionAssignor=Assignor,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=settings.fetch_max_bytes,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_s,
        # Faust does not fetch without partitions, nor while state is loaded: a stand-by would leave the group, and never come
        # back. That fetches go on is watched by /live, with poll_interval_s.
        broker_max_poll_interval=NEVER_S,
        broker_request_timeout=settings.recovery_timeout_s + RECOVERY_MARGIN_S,
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
    try:
        end, stable = consumer.highwater(tp), consumer.last_stable_offset(tp)
    except AssertionError:  # taken away since the line above, by aiokafka's own thread
        return {}
    next_offset = app.host.next_offset(number)
    values: PartitionValues = {}
    if end is not None and next_offset is not None:
        values["lag"] = max(0, end - next_offset)
        if stable is not None and stable >= 0:
            values["unstable"] = max(0, end - stable)
    return values
