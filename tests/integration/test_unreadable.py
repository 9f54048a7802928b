"""A record that the Kafka client itself cannot read: a header whose name is no text. The broker takes it, aiokafka raises at each fetch."""

import asyncio

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
