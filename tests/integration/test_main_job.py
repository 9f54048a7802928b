"""Transactions in, decisions and alerts out, on a real Kafka with workers as processes."""

import io
from collections import Counter

import fastavro
import pytest

from monitor.effects.alerts import alert_schema
from monitor.effects.audit import position_of, verify_block
from monitor.wire.framing import HEADER_BYTES


def test_everything_that_goes_in_is_accounted_for_and_state_equals_an_uninterrupted_run(install, transactions):
    installation = install(alert_cooldown_s=300)
    installation.produce(transactions(20_000, corrupt=0.01))
    worker = installation.start()
    worker.wait_ready()
    installation.wait_decided()

    blocks = installation.blocks()
    counts = Counter()
    for block in blocks:
        counts.update(
            records=block.records,
            scored=block.scored,
            duplicates=block.duplicates,
            dead=block.dead_letters,
            alerts=block.alerts,
        )
    assert counts["records"] == 20_000 == counts["scored"] + counts["duplicates"] + counts["dead"]
    assert counts["duplicates"] > 0
    assert counts["dead"] > 100
    assert len(installation.read(installation.settings.topic_dlq)) == counts["dead"]
    alerts = installation.read(installation.settings.topic_alerts)
    ids = Counter(dict(message.headers())["ce_id"] for message in alerts)
    assert len(alerts) == counts["alerts"] > 0
    assert set(ids.values()) == {1}

    reference = installation.reference()
    assert installation.state() == reference.state
    decoded = [fastavro.schemaless_reader(io.BytesIO(m.value()[HEADER_BYTES:]), alert_schema(), None) for m in alerts]
    assert {(each["source_partition"], each["source_offset"]) for each in decoded} == reference.alerts

    metrics = worker.metrics()
    assert metrics["monitor_transactions_in_total"] == 20_000
    assert metrics["monitor_transactions_scored_total"] == counts["scored"]
    assert worker.stop() == 0


def test_the_audit_blocks_of_each_partition_form_a_chain(install, transactions):
    installation = install(partitions=2)
    installation.produce(transactions(3_000))
    installation.start(max_run_records=500)
    installation.wait_decided()
    previous = {}
    for block in installation.blocks():
        verify_block(block, previous.get(block.partition))
        previous[block.partition] = position_of(block)
    assert set(previous) == {0, 1}
    assert min(position.height for position in previous.values()) >= 2


def test_a_clean_restart_goes_on_after_the_last_decision(install, transactions):
    installation = install(partitions=2)
    messages = transactions(6_000)
    installation.produce(messages[:3_000])
    first = installation.start()
    installation.wait_decided()
    assert first.stop() == 0
    installation.produce(messages[3_000:])
    installation.start()
    installation.wait_decided()
    assert sum(block.records for block in installation.blocks()) == 6_000
    assert installation.state() == installation.reference().state


@pytest.mark.parametrize("start", ["latest", "earliest"])
def test_a_new_installation_begins_where_it_is_told_and_warms_up_silently(install, transactions, start):
    installation = install(partitions=1)
    installation.produce(transactions(4_000))
    installation.start(start=start, warmup_s=10**9)
    installation.wait_decided()
    blocks = installation.blocks()
    assert sum(block.records for block in blocks) == 4_000
    assert sum(block.alerts for block in blocks) == 0
    suppressed = sum(int((block.decisions["suppression"] == 1).sum()) for block in blocks)
    assert suppressed > 0
    assert installation.state() == installation.reference(alerts_from=4_000).state
