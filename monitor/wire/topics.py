"""The topics this installation needs: how each should be, how each is, and how to make what is missing.

`plan` is pure. `inspect` and `create` ask the broker; `create` stands alone because some brokers (librdkafka's mock) cannot do it.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.cimpl import NewTopic

from monitor.errors import BrokerError, TopicError
from monitor.settings import Settings
from monitor.wire.kafka_config import AUDIT_MAX_BYTES, dlq_message_bytes

TIMEOUT_S = 10.0
POLL_S = 0.05
FOREVER = "-1"
DLQ_RETENTION_MS = 30 * 86_400_000  # a person has to look at what was rejected, and people have holidays
SIDELINE_RETENTION_MS = 30 * 86_400_000  # longer than anybody lets a candidate run
CHANGELOG_SEGMENT_BYTES = 128 << 20  # only closed segments are compacted: what recovery reads in vain is at most this
CHANGELOG_COMPACTION_LAG_MS = 60_000  # a worker that reads the tail is never overtaken by the compactor

COPARTITIONED = ("audit", "changelog")
"""Roles whose topics have a partition for each of the transactions' partitions."""

T = TypeVar("T")

OPTIONAL = ("labels", "shadow", "vectors", "rule_hits", "controls")
"""Roles of topics that decisions can be made without."""


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """How a topic should be. `config` holds Kafka's topic settings that differ from the broker's defaults."""

    role: str
    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """How a topic is. A missing one has `exists` False, no partitions and no id; `config` is None where the broker cannot say."""

    name: str
    exists: bool
    partitions: int = 0
    replication: int = 0
    topic_id: str | None = None
    config: Mapping[str, str] | None = None


def plan(settings: Settings, transactions_partitions: int | None = None) -> tuple[TopicPlan, ...]:
    """All topics. `transactions_partitions` is what the transactions topic has, if it exists already."""
    partitions = transactions_partitions or settings.topic_partitions
    replication = settings.topic_replication
    sideline = {
        "cleanup_policy": "delete",
        "retention_ms": str(SIDELINE_RETENTION_MS),
        "max_message_bytes": str(AUDIT_MAX_BYTES),
    }
    kept = {"cleanup_policy": "delete", "retention_ms": FOREVER, "retention_bytes": FOREVER}
    durable = {"min.insync.replicas": str(max(1, replication - 1))}

    def topic(role: str, name: str, partitions: int, **config: str) -> TopicPlan:
        named = {key.replace("_", "."): value for key, value in config.items()}
        return TopicPlan(role, name, partitions, replication, durable | named)

    return (
        topic("transactions", settings.topic_transactions, partitions, cleanup_policy="delete"),
        topic("alerts", settings.topic_alerts, settings.topic_partitions, cleanup_policy="delete"),
        topic("withheld", settings.topic_withheld, settings.topic_partitions, cleanup_policy="delete"),
        topic(
            "dlq",
            settings.topic_dlq,
            settings.topic_partitions,
            cleanup_policy="delete",
            retention_ms=str(DLQ_RETENTION_MS),
            max_message_bytes=str(dlq_message_bytes(settings)),
        ),
        topic("audit", settings.topic_audit, partitions, max_message_bytes=str(AUDIT_MAX_BYTES), **kept),
        topic(
            "changelog",
            settings.changelog_topic,
            partitions,
            cleanup_policy="compact",
            min_compaction_lag_ms=str(CHANGELOG_COMPACTION_LAG_MS),
            segment_bytes=str(CHANGELOG_SEGMENT_BYTES),
        ),
        topic(
            "labels", settings.topic_labels, settings.topic_partitions, cleanup_policy="delete", retention_ms=FOREVER
        ),
        topic("shadow", settings.topic_shadow, settings.topic_partitions, **sideline),
        topic("vectors", settings.topic_vectors, settings.topic_partitions, **sideline),
        topic("rule_hits", settings.topic_rule_hits, settings.topic_partitions, **sideline),
        topic("controls", settings.topic_controls, 1, **kept),
    )


def inspect(admin: AdminClient, names: Iterable[str], timeout_s: float = TIMEOUT_S) -> dict[str, TopicFacts]:
    """What the broker knows of each topic, by name. Raises `BrokerError`."""
    wanted = list(names)
    described = admin.describe_topics(TopicCollection(wanted), request_timeout=timeout_s)
    facts = {name: _described(name, described[name], timeout_s) for name in wanted}
    present = [name for name in wanted if facts[name].exists]
    if not present:
        return facts
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in present]
    for resource, future in admin.describe_configs(resources, request_timeout=timeout_s).items():
        facts[resource.name] = _with_config(facts[resource.name], future, timeout_s)
    return facts


def create(admin: AdminClient, topics: Sequence[TopicPlan], timeout_s: float = TIMEOUT_S) -> list[str]:
    """Make these topics and return the names of those that were made; one that exists is left as it is.

    Raises `TopicError` naming the topic, its value and the fix, or `BrokerError`.
    """
    if not topics:
        return []
    new = [
        NewTopic(
            topic.name, num_partitions=topic.partitions, replication_factor=topic.replication, config=dict(topic.config)
        )
        for topic in topics
    ]
    futures = admin.create_topics(new, operation_timeout=timeout_s, request_timeout=timeout_s)
    made = []
    for topic in topics:
        try:
            _wait(futures[topic.name], timeout_s)
        except KafkaException as error:
            kafka_error = error.args[0]
            if kafka_error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue
            raise _refused(topic, kafka_error) from None
        made.append(topic.name)
    return made


def create_missing(admin: AdminClient, settings: Settings, timeout_s: float = TIMEOUT_S) -> list[str]:
    """Make the topics of the plan that are not there, and return their names. Topics beside transactions follow its partitions.

    Raises `TopicError` when a topic that exists contradicts the plan, or `BrokerError`.
    """
    names = [topic.name for topic in plan(settings)]
    facts = inspect(admin, names, timeout_s)
    planned = plan(settings, facts[settings.topic_transactions].partitions or None)
    check_partitions(planned, facts)
    made = create(admin, [topic for topic in planned if not facts[topic.name].exists], timeout_s)
    if made:
        # Somebody else may have made one meanwhile, and otherwise.
        check_partitions(planned, await_topics(admin, names, timeout_s))
    return made


def await_topics(admin: AdminClient, names: Iterable[str], timeout_s: float = TIMEOUT_S) -> dict[str, TopicFacts]:
    """Facts of topics that were just made, as soon as the broker shows all of them: it answers CreateTopics a little before.

    Raises `TopicError` after `timeout_s`, or `BrokerError`.
    """
    wanted = list(names)
    deadline = time.monotonic() + timeout_s
    while True:
        facts = inspect(admin, wanted, timeout_s)
        missing = [name for name, fact in facts.items() if not fact.exists]
        if not missing:
            return facts
        if time.monotonic() > deadline:
            raise TopicError(
                f"topics {', '.join(missing)}: made, and not to be seen after {timeout_s} s; is the cluster healthy?"
            )
        time.sleep(POLL_S)


def check_partitions(planned: Iterable[TopicPlan], facts: Mapping[str, TopicFacts]) -> None:
    """Raises `TopicError` for a topic that must have the transactions' partition count and has another; missing ones pass."""
    for topic in planned:
        fact = facts[topic.name]
        if fact.exists and topic.role in COPARTITIONED and fact.partitions != topic.partitions:
            raise TopicError(mismatch(topic, fact))


def check_compaction(changelog: TopicFacts) -> None:
    """Raises `TopicError` for a changelog from which Kafka would delete accounts by age; unknown configuration passes."""
    policy = (changelog.config or {}).get("cleanup.policy", "compact")
    if policy != "compact":
        raise TopicError(
            f"topic {changelog.name}: cleanup.policy = {policy} deletes the state of quiet accounts; set it to compact "
            "(kafka-configs --alter --add-config cleanup.policy=compact), and see whether state was lost already"
        )


def mismatch(topic: TopicPlan, fact: TopicFacts) -> str:
    """The sentence for a partition count unlike that of transactions."""
    return (
        f"topic {topic.name} = {fact.partitions} partitions: transactions has {topic.partitions}, and a partition's decisions "
        "and state stand under the same number; transactions must keep the count that it started with"
    )


def _described(name: str, future: "Future[Any]", timeout_s: float) -> TopicFacts:
    try:
        topic = _wait(future, timeout_s)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return TopicFacts(name, exists=False)
        raise _unanswered(name, error.args[0]) from None
    replication = min((len(partition.replicas) for partition in topic.partitions), default=0)
    return TopicFacts(name, True, len(topic.partitions), replication, str(topic.topic_id))


def _with_config(known: TopicFacts, future: "Future[Any]", timeout_s: float) -> TopicFacts:
    try:
        entries = _wait(future, timeout_s)
    except KafkaException as error:
        code = error.args[0].code()
        if code == KafkaError.UNKNOWN_TOPIC_OR_PART:
            # A broker's list of topics lags: this one was deleted, or is about to be there.
            return TopicFacts(known.name, exists=False)
        if code in (
            KafkaError._UNSUPPORTED_FEATURE,
            KafkaError.UNSUPPORTED_VERSION,
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
        ):
            return known
        raise _unanswered(known.name, error.args[0]) from None
    return replace(known, config={key: entry.value for key, entry in entries.items() if entry.value is not None})


def _wait(future: "Future[T]", timeout_s: float) -> T:
    """The request times out by itself, within `timeout_s`; the margin is for a process that was stopped meanwhile."""
    try:
        return future.result(timeout_s + 5)
    except TimeoutError:
        raise BrokerError(f"brokers = no answer in {timeout_s} s; are the addresses right, is the broker up?") from None


def _unanswered(name: str, error: KafkaError) -> BrokerError:
    if error.code() in (KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN):
        return BrokerError(
            f"brokers: no answer ({error.str()}); are the addresses and security_protocol right, is Kafka up?"
        )
    return BrokerError(f"topic {name}: not described ({error.str()}); may this user describe it?")


def _refused(topic: TopicPlan, error: KafkaError) -> BrokerError:
    what = f"topic {topic.name} = {topic.partitions} partitions, replication {topic.replication}: not created"
    if error.code() == KafkaError.INVALID_REPLICATION_FACTOR:
        return TopicError(f"{what} ({error.str()}); set topic_replication to at most the number of brokers")
    if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
        return TopicError(f"{what}: not allowed; let this user create topics, or have them made as docs/topics.md says")
    if error.code() in (KafkaError.INVALID_CONFIG, KafkaError.INVALID_PARTITIONS, KafkaError.POLICY_VIOLATION):
        return TopicError(f"{what} ({error.str()}); create it by hand as docs/topics.md says")
    return BrokerError(f"{what} ({error.str()}); is the broker up?")
