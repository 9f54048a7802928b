"""The checker on a real installation: nothing where nothing is wrong, and each damage by its name."""

import dataclasses
import json

import numpy as np
import pytest
from confluent_kafka import Producer

from monitor.reconcile.findings import FACTS
from monitor.served_vectors import read_vectors, vectors_value
from monitor.wire.kafka_config import producer_config
from tests.commands import run_here

COUNT = 3_000


def reconcile(installation, *arguments, **settings):
    environment = installation.environment | {f"MONITOR_{name.upper()}": str(value) for name, value in settings.items()}
    done = run_here(environment, installation.directory, "reconcile", "--json", *arguments)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1)
    return found


def defects(found):
    return {name: count for name, count in found.items() if type(count) is int and count and name not in FACTS}


@pytest.fixture
def decided(install, transactions, wait_until):
    """An installation that has decided simulated transactions with retries, late and corrupt ones among them, and stopped."""
    installation = install(partitions=2, vectors_sample=3)
    installation.produce(transactions(COUNT, duplicates=0.02, late=0.02, corrupt=0.02))
    worker = installation.start()
    worker.wait_ready()
    installation.wait_decided()
    assert worker.stop() == 0
    return installation


def send(installation, topic, key, value, partition, headers=None):
    producer = Producer(producer_config(installation.settings))
    producer.produce(topic, value, key, partition, headers=headers)
    assert producer.flush(30) == 0


def test_nothing_is_wrong_with_an_installation_left_alone(decided):
    found = reconcile(decided)
    assert defects(found) == {}
    assert found["audit_verified"]
    assert found["group_at_end"]
    assert found["transactions"] == COUNT
    assert 0.1 < found["vectors"] / COUNT < 0.6
    assert min(found[name] for name in ("alerts", "dead_letters", "duplicates", "accounts", "blocks")) > 0


def test_each_damage_has_its_name(decided):
    settings = decided.settings
    alert = decided.read(settings.topic_alerts)[0]
    send(decided, settings.topic_alerts, alert.key(), alert.value(), alert.partition(), alert.headers())
    letter = decided.read(settings.topic_dlq)[-1]
    send(decided, settings.topic_dlq, letter.key(), letter.value(), letter.partition(), letter.headers())
    (partition, account), value = next((place, value) for place, value in decided.state().items())
    altered = bytearray(value)
    altered[16] ^= 1
    send(decided, settings.changelog_topic, account, bytes(altered), partition)
    found = reconcile(decided)
    assert defects(found).keys() >= {"alerts_twice", "dead_letters_twice", "state_differs"}
    assert (found["alerts_twice"], found["dead_letters_twice"], found["state_differs"]) == (1, 1, 1)
    assert any(str(account) in each for each in found["findings"])
    assert reconcile(decided, "--no-reference")["state_differs"] == 0


def test_a_served_vector_that_is_off_by_a_bit_is_found(decided):
    settings = decided.settings
    message = decided.read(settings.topic_vectors)[0]
    vectors = read_vectors(message.value())
    features = vectors.features.copy()
    features.view(np.int64)[0, 5] ^= 1
    altered = vectors_value(dataclasses.replace(vectors, features=features), 6)
    send(decided, settings.topic_vectors, message.key(), altered, message.partition())
    found = reconcile(decided)
    assert defects(found) == {"vectors_differ": 1}
    assert "column 5" in found["findings"][0]


def test_an_account_whose_key_moved_has_two_states_and_is_reported(decided):
    record = next(r for r in decided.sent[0] if (0, r.key) in decided.state())
    decided.produce([(record.key, record.value)], partition=1)
    worker = decided.start()
    worker.wait_ready()
    decided.wait_decided()
    assert worker.metrics()["monitor_accounts_misplaced_total"] == 1
    assert worker.stop() == 0
    found = reconcile(decided)
    assert defects(found) == {}
    assert found["accounts_split"] == 1
    assert any(str(record.key) in each and "partitions 0, 1" in each for each in found["notes"])


def test_what_is_not_decided_yet_is_lag_and_no_loss(decided, transactions):
    decided.produce(transactions(500, seed=2))
    found = reconcile(decided)
    assert defects(found) == {}
    assert found["undecided"] == 500
    assert not found["group_at_end"]


def test_another_model_is_no_false_alarm_and_other_settings_are_a_difference(decided, tmp_path):
    found = reconcile(decided, models_dir=tmp_path)
    assert defects(found) == {}
    assert any("scores and outcomes are not compared" in each for each in found["notes"])
    assert defects(reconcile(decided, max_amount_minor=1_000)).keys() >= {"decisions_differ"}
