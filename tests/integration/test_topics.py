"""Topics on a real Kafka: made once, left alone after, and shown as they are."""

import json
import time

import pytest
from click.testing import CliRunner
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from monitor.commands.topics import topics
from monitor.errors import TopicError
from monitor.settings import Settings
from monitor.wire.kafka_config import admin_config
from monitor.wire.topics import await_topics, create_missing, inspect, plan


@pytest.fixture
def settings(kafka, topic_prefix):
    names = {
        f"topic_{role}": f"{topic_prefix}.{role}"
        for role in (
            "transactions",
            "alerts",
            "withheld",
            "dlq",
            "audit",
            "labels",
            "shadow",
            "vectors",
            "rule_hits",
            "controls",
        )
    }
    return Settings(brokers=kafka.bootstrap, app_id=topic_prefix, topic_partitions=2, **names)


@pytest.fixture
def admin(settings):
    client = AdminClient(admin_config(settings))
    yield client
    for gone in client.delete_topics([topic.name for topic in plan(settings)]).values():
        gone.exception(30)


def environ(settings: Settings) -> dict[str, str]:
    names = (
        "brokers",
        "app_id",
        "topic_partitions",
        *(name for name in Settings.model_fields if name.startswith("topic_")),
    )
    return {f"MONITOR_{name.upper()}": str(getattr(settings, name)) for name in names}


def test_missing_topics_are_made_as_planned_and_only_once(admin, settings):
    planned = plan(settings)
    assert create_missing(admin, settings) == [topic.name for topic in planned]
    facts = inspect(admin, [topic.name for topic in planned])
    for topic in planned:
        fact = facts[topic.name]
        assert (fact.exists, fact.partitions, fact.replication) == (True, topic.partitions, 1)
        assert fact.config is not None
        assert {key: fact.config[key] for key in topic.config} == dict(topic.config)
    assert len({fact.topic_id for fact in facts.values()}) == len(planned)
    assert create_missing(admin, settings) == []
    assert inspect(admin, [topic.name for topic in planned]) == facts


def test_a_topic_made_anew_has_another_id(admin, settings):
    name = settings.topic_transactions
    create_missing(admin, settings)
    before = inspect(admin, [name])[name].topic_id
    admin.delete_topics([name])[name].result(30)
    deadline = time.monotonic() + 30
    while inspect(admin, [name])[name].exists:
        assert time.monotonic() < deadline, f"{name} is still there"
    create_missing(admin, settings)
    assert inspect(admin, [name])[name].topic_id != before


def test_audit_and_changelog_take_the_partitions_of_transactions_that_exist_already(admin, settings):
    admin.create_topics([NewTopic(settings.topic_transactions, 3, 1)])[settings.topic_transactions].result(30)
    await_topics(admin, [settings.topic_transactions])
    made = create_missing(admin, settings)
    assert settings.topic_transactions not in made
    facts = inspect(admin, [settings.topic_audit, settings.changelog_topic, settings.topic_alerts])
    assert [fact.partitions for fact in facts.values()] == [3, 3, 2]


def test_an_audit_topic_with_other_partitions_is_refused_by_name(admin, settings):
    admin.create_topics([NewTopic(settings.topic_audit, 5, 1)])[settings.topic_audit].result(30)
    await_topics(admin, [settings.topic_audit])
    with pytest.raises(TopicError, match=r"audit = 5 partitions: transactions has 2"):
        create_missing(admin, settings)


def test_more_copies_than_brokers_are_refused_with_the_setting_to_change(admin, settings):
    with pytest.raises(TopicError, match=r"replication 3: not created .* set topic_replication"):
        create_missing(admin, settings.model_copy(update={"topic_replication": 3}))


def test_the_commands_make_and_show_them(admin, settings):
    runner, env = CliRunner(), environ(settings)
    before = json.loads(runner.invoke(topics, ["show", "--json"], env=env).output)
    assert not any(fact["exists"] for fact in before.values())
    made = runner.invoke(topics, ["create", "--partitions", "3"], env=env)
    assert made.exit_code == 0, made.output
    assert made.output.count("created  ") == 11
    after = json.loads(runner.invoke(topics, ["show", "--json"], env=env).output)
    assert {role: fact["partitions"] for role, fact in after.items()} == dict.fromkeys(before, 3) | {"controls": 1}
    again = runner.invoke(topics, ["create"], env=env)
    assert again.output.count("exists   ") == 11
    shown = runner.invoke(topics, ["show"], env=env).output.splitlines()
    assert len(shown) == 11
    assert "cleanup.policy=compact" in shown[5]
