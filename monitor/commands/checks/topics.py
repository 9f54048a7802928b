"""Is each topic there, with the partitions, replication and settings that the promises rest on?"""

from collections.abc import Iterator, Mapping

from monitor.commands.checks.finding import Finding, fail, ok, warn
from monitor.wire.topics import COPARTITIONED, FOREVER, OPTIONAL, TopicFacts, TopicPlan, mismatch

ALTER = "kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {key}={value}"

_LOST = {
    "audit": "the commit log would lose its beginning, and idle partitions their place",
    "controls": "what people decided would end by itself, and no block's version could be rebuilt",
}
"""What deletion by age or size would do to the topic of a role."""


def check_topics(planned: tuple[TopicPlan, ...], facts: Mapping[str, TopicFacts], brokers: int) -> Iterator[Finding]:
    """One finding a topic: the worst thing about it."""
    for topic in planned:
        yield judge_topic(topic, facts[topic.name], brokers)


def judge_topic(topic: TopicPlan, fact: TopicFacts, brokers: int) -> Finding:
    """The finding for one topic on a cluster of `brokers` brokers."""
    check = f"topic {topic.role}"
    if not fact.exists:
        if topic.role in OPTIONAL:
            return warn(check, f"{topic.name}: missing; decisions are made without it", "monitor topics create")
        return fail(check, f"{topic.name}: missing", "monitor topics create")
    if topic.role in COPARTITIONED and fact.partitions != topic.partitions:
        what, _, fix = mismatch(topic, fact).partition("; ")
        return fail(check, what.removeprefix("topic "), fix)
    for finding in (*_judge_config(check, topic, fact), *_judge_copies(check, topic, fact, brokers)):
        return finding
    return ok(
        check,
        f"{topic.name}: {fact.partitions} partitions, {fact.replication} cop{'ies' if fact.replication > 1 else 'y'} each",
    )


def _judge_config(check: str, topic: TopicPlan, fact: TopicFacts) -> Iterator[Finding]:
    """What the topic's settings would break, worst first. A broker that does not tell them is believed."""
    found = fact.config or {}

    def alter(key: str) -> str:
        return ALTER.format(topic=topic.name, key=key, value=topic.config[key])

    policy = found.get("cleanup.policy", topic.config["cleanup.policy"])
    if topic.role == "changelog" and policy != "compact":
        what = f"{topic.name}: cleanup.policy = {policy}: accounts would be forgotten while they are watched"
        yield fail(check, what, alter("cleanup.policy"))
    if topic.role != "changelog" and "compact" in policy:
        what = f"{topic.name}: cleanup.policy = {policy}: only the last record a key would stay"
        yield fail(check, what, alter("cleanup.policy"))
    needed = int(topic.config.get("max.message.bytes", 0))
    largest = int(found.get("max.message.bytes", needed))
    if largest < needed:
        what = f"{topic.name}: max.message.bytes = {largest}: {needed} are needed, and one message beyond it stops the worker"
        yield fail(check, what, alter("max.message.bytes"))
    kept = {key: found.get(key, FOREVER) for key in ("retention.ms", "retention.bytes")}
    for key, value in kept.items():
        if topic.role in _LOST and value != FOREVER:
            yield fail(check, f"{topic.name}: {key} = {value}: {_LOST[topic.role]}", alter(key))


def _judge_copies(check: str, topic: TopicPlan, fact: TopicFacts, brokers: int) -> Iterator[Finding]:
    """Hints on what a lost broker would take along. One broker is a development cluster: nothing to say."""
    if brokers == 1:
        return
    if fact.replication == 1:
        what = f"{topic.name}: 1 copy on {brokers} brokers: a lost disk loses it"
        yield warn(check, what, f"raise its replication to {min(3, brokers)} with kafka-reassign-partitions.sh")
    in_sync = int((fact.config or {}).get("min.insync.replicas", 2))
    if fact.replication > 2 and in_sync < 2:
        what = f"{topic.name}: min.insync.replicas = {in_sync}: a commit may exist on one broker only"
        yield warn(check, what, ALTER.format(topic=topic.name, key="min.insync.replicas", value=fact.replication - 1))
    if in_sync >= fact.replication > 1:
        what = f"{topic.name}: min.insync.replicas = {in_sync} of {fact.replication}: one broker down stops all writing"
        yield warn(check, what, ALTER.format(topic=topic.name, key="min.insync.replicas", value=fact.replication - 1))
