"""A record that the Kafka client itself cannot read: a header whose name is no text. The broker takes it, aiokafka raises at each fetch."""

import asyncio
import re

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.producer import message_accumulator
from aiokafka.producer import producer as producer_module
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from monitor.wire.records import Record


class NoText(str):
    """A name whose bytes are no UTF-8: what a producer in another language may well send."""

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfename"


async def send(installation, messages, spoiled):
    """(key, value) pairs into partition 0; those at the places `spoiled` with such a header."""
    producer = AIOKafkaProducer(bootstrap_servers=installation.settings.brokers)
    await producer.start()
    try:
        for place, (key, value) in enumerate(messages):
            headers = [(NoText("name"), b"v")] if place in spoiled else [("trace", b"t")]
            sent = await producer.send_and_wait(
                installation.settings.topic_transactions, value, key, partition=0, headers=headers
            )
            installation.sent.setdefault(0, []).append(Record(sent.offset, key, value, sent.timestamp))
    finally:
        await producer.stop()


def test_records_with_unreadable_headers_are_decided_without_them_and_nothing_else_suffers(
    install, transactions, monkeypatch
):
    for module in (message_accumulator, producer_module):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
    installation = install(partitions=2)
    messages = transactions(1_200)
    installation.produce(messages[600:], partition=1)
    asyncio.run(send(installation, messages[:200], {0, 50, 51, 199}))
    worker = installation.start()
    worker.wait_ready()
    installation.wait_decided()
    asyncio.run(send(installation, messages[200:600], {10, 399}))
    installation.wait_decided()
    decided = [(b.partition, at) for b in installation.blocks() for at in b.decisions["offset"].tolist()]
    assert sorted(decided) == sorted((p, r.offset) for p, records in installation.sent.items() for r in records)
    assert installation.state() == installation.reference().state
    assert worker.metrics()['monitor_gap_checks_total{result="loss"}'] == 0
    assert worker.stop() == 0


@pytest.mark.parametrize("damaged", ["transactions", "changelog"])
def test_what_rots_on_the_broker_s_disk_is_named_and_nothing_behind_it_is_decided(
    kafka, install, transactions, wait_until, damaged
):
    installation = install(partitions=1)
    for messages in (transactions(200), transactions(200, seed=2)):
        installation.produce(messages)
    if damaged == "transactions":
        at = rot(kafka.data / f"{installation.settings.topic_transactions}-0", 200)
    else:
        worker = installation.start()
        worker.wait_ready()
        installation.wait_decided()
        assert worker.stop() == 0
        at = rot(kafka.data / f"{installation.settings.changelog_topic}-0", 0)
    worker = installation.start()
    wait_until(lambda: worker.process.poll() is not None, 90, worker.tail)
    installation.workers.remove(worker)
    assert worker.process.returncode == 76, worker.tail()
    assert re.search(rf"{damaged}\[0\]: .*the batch at offset {at} is damaged", worker.tail()), worker.tail()
    if damaged == "transactions":
        decided = [at for block in installation.blocks() for at in block.decisions["offset"].tolist()]
        assert decided == list(range(len(decided)))
        assert len(decided) <= 200


def rot(directory, offset):
    """Flip one bit of the batch that begins at `offset`, on the broker's disk and under its feet; its offset."""
    (segment,) = directory.glob("*.log")
    log, at = segment.read_bytes(), 0
    while int.from_bytes(log[at : at + 8]) != offset:
        at += 12 + int.from_bytes(log[at + 8 : at + 12])
    last = at + 12 + int.from_bytes(log[at + 8 : at + 12]) - 1
    with segment.open("r+b") as file:
        file.seek(last)
        file.write(bytes([log[last] ^ 1]))
    return offset
