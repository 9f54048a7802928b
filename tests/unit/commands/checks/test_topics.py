"""What the doctor says of a topic."""

import dataclasses

import pytest

from monitor.commands.checks.topics import check_topics, judge_topic
from monitor.settings import Settings
from monitor.wire.topics import TopicFacts, plan

PLANNED = {topic.role: topic for topic in plan(Settings())}


def facts(role: str, **changes: object) -> TopicFacts:
    """The topic as planned, with changes; a change of `config` goes over the planned one."""
    topic = PLANNED[role]
    config = {**topic.config, **changes.pop("config", {})}  # type: ignore[dict-item]
    fact = TopicFacts(topic.name, True, topic.partitions, topic.replication, "id", config)
    return dataclasses.replace(fact, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("role", PLANNED)
def test_a_topic_as_planned_is_ok(role):
    assert judge_topic(PLANNED[role], facts(role), brokers=1).status == "ok"


@pytest.mark.parametrize("role", PLANNED)
def test_a_topic_whose_settings_the_broker_does_not_tell_is_believed(role):
    assert judge_topic(PLANNED[role], dataclasses.replace(facts(role), config=None), 1).status == "ok"


@pytest.mark.parametrize("role", PLANNED)
def test_a_missing_topic_fails_and_one_that_decisions_are_made_without_warns(role):
    finding = judge_topic(PLANNED[role], TopicFacts(PLANNED[role].name, exists=False), brokers=1)
    assert finding.status == ("warn" if role in ("labels", "shadow", "vectors", "rule_hits", "controls") else "fail")
    assert finding.fix == "monitor topics create"


@pytest.mark.parametrize("role", ["audit", "changelog"])
def test_a_partition_count_unlike_that_of_transactions_fails(role):
    finding = judge_topic(PLANNED[role], facts(role, partitions=3), brokers=1)
    assert finding.status == "fail"
    assert "3 partitions: transactions has 8" in finding.what


def test_alerts_may_have_other_partitions_than_transactions():
    assert judge_topic(PLANNED["alerts"], facts("alerts", partitions=1), brokers=1).status == "ok"


@pytest.mark.parametrize(
    ("role", "key", "value"),
    [
        ("changelog", "cleanup.policy", "delete"),
        ("changelog", "cleanup.policy", "compact,delete"),
        ("transactions", "cleanup.policy", "compact"),
        ("alerts", "cleanup.policy", "compact,delete"),
        ("audit", "cleanup.policy", "compact"),
        ("audit", "retention.ms", "604800000"),
        ("audit", "retention.bytes", "1000000"),
        ("controls", "cleanup.policy", "compact"),
        ("controls", "retention.ms", "604800000"),
        ("audit", "max.message.bytes", "1048588"),
        ("dlq", "max.message.bytes", "1048588"),
    ],
)
def test_a_setting_that_breaks_a_promise_fails_with_the_command_that_mends_it(role, key, value):
    finding = judge_topic(PLANNED[role], facts(role, config={key: value}), brokers=1)
    assert finding.status == "fail"
    assert f"{key} = {value}" in finding.what
    assert f"--add-config {key}={PLANNED[role].config[key]}" in finding.fix


def test_one_copy_is_fine_on_one_broker_and_warned_of_on_three():
    assert judge_topic(PLANNED["audit"], facts("audit"), brokers=1).status == "ok"
    finding = judge_topic(PLANNED["audit"], facts("audit"), brokers=3)
    assert finding.status == "warn"
    assert "1 copy on 3 brokers" in finding.what


@pytest.mark.parametrize(("in_sync", "status"), [("1", "warn"), ("2", "ok"), ("3", "warn")])
def test_three_copies_want_two_in_sync(in_sync, status):
    fact = facts("audit", replication=3, config={"min.insync.replicas": in_sync})
    assert judge_topic(PLANNED["audit"], fact, brokers=3).status == status


def test_there_is_one_finding_a_topic():
    everything = {topic.name: facts(topic.role) for topic in PLANNED.values()}
    assert [f.check for f in check_topics(tuple(PLANNED.values()), everything, 1)] == [f"topic {r}" for r in PLANNED]
