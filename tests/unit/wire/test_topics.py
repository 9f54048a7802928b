"""The plan of the topics, and what the mock cluster can tell of them; the rest is in tests/integration/test_topics.py."""

import pytest
from confluent_kafka.admin import AdminClient

from monitor.embedded.mock import MockCluster
from monitor.embedded.process import free_ports
from monitor.errors import BrokerError, TopicError
from monitor.settings import Settings
from monitor.wire.kafka_config import admin_config
from monitor.wire.topics import TopicFacts, check_partitions, create, inspect, plan


def by_role(settings: Settings, partitions: int | None = None):
    return {topic.role: topic for topic in plan(settings, partitions)}


def test_the_plan_has_a_topic_for_each_role_under_its_configured_name():
    settings = Settings(app_id="app", topic_transactions="t", topic_dlq="d")
    names = {role: topic.name for role, topic in by_role(settings).items()}
    assert names == {
        "transactions": "t",
        "alerts": "alerts",
        "withheld": "alerts.withheld",
        "dlq": "d",
        "audit": "audit",
        "changelog": "app-account-state-changelog",
        "labels": "labels",
        "shadow": "shadow",
        "vectors": "vectors",
        "rule_hits": "rule-hits",
        "controls": "controls",
    }


def test_audit_and_changelog_follow_the_partitions_that_transactions_really_has():
    counts = {role: topic.partitions for role, topic in by_role(Settings(topic_partitions=4), 12).items()}
    assert counts == {
        "transactions": 12,
        "audit": 12,
        "changelog": 12,
        "alerts": 4,
        "withheld": 4,
        "dlq": 4,
        "labels": 4,
        "shadow": 4,
        "vectors": 4,
        "rule_hits": 4,
        "controls": 1,
    }


def test_the_commit_log_is_kept_for_ever_and_the_state_compacted():
    topics = by_role(Settings())
    assert topics["audit"].config["retention.ms"] == topics["audit"].config["retention.bytes"] == "-1"
    assert topics["changelog"].config["cleanup.policy"] == "compact"
    assert int(topics["dlq"].config["max.message.bytes"]) > Settings().dlq_max_bytes
    assert int(topics["audit"].config["max.message.bytes"]) == 8 << 20


@pytest.mark.parametrize(("replication", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "4")])
def test_one_broker_may_fail_and_writing_goes_on(replication, in_sync):
    topics = plan(Settings(topic_replication=replication))
    assert {topic.config["min.insync.replicas"] for topic in topics} == {in_sync}
    assert {topic.replication for topic in topics} == {replication}


def test_a_topic_beside_transactions_with_other_partitions_is_refused():
    planned = plan(Settings(), 8)
    facts = {topic.name: TopicFacts(topic.name, True, topic.partitions) for topic in planned}
    check_partitions(planned, facts)
    facts["audit"] = TopicFacts("audit", True, 4)
    with pytest.raises(TopicError, match="topic audit = 4 partitions: transactions has 8"):
        check_partitions(planned, facts)
    facts["audit"] = TopicFacts("audit", exists=False)
    check_partitions(planned, facts)


def test_a_broker_that_cannot_tell_settings_still_tells_partitions():
    with MockCluster() as mock:
        mock.create_topic("there", 3)
        admin = AdminClient(admin_config(Settings(brokers=mock.bootstrap)))
        facts = inspect(admin, ["there", "absent"])
        assert facts["absent"] == TopicFacts("absent", exists=False)
        there = facts["there"]
        assert (there.exists, there.partitions, there.replication, there.config) == (True, 3, 1, None)
        assert there.topic_id


def test_no_broker_is_a_broker_error_that_names_the_setting():
    (port,) = free_ports(1)
    admin = AdminClient(admin_config(Settings(brokers=f"127.0.0.1:{port}")))
    with pytest.raises(BrokerError, match="brokers: no answer"):
        inspect(admin, ["transactions"], timeout_s=0.5)
    with pytest.raises(BrokerError, match="topic transactions = 8 partitions, replication 1: not created"):
        create(admin, plan(Settings())[:1], timeout_s=0.5)


def test_nothing_to_create_asks_nobody():
    assert create(AdminClient(admin_config(Settings(brokers="127.0.0.1:1"))), []) == []
