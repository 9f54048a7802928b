"""`python -m benchmarks.reader`: notes when alerts and account records become readable, read_committed, in a process of its own.

Arguments: brokers, topic of alerts, changelog topic, file. It says `reading` when it stands at the end of both, and writes the file when
it is asked to stop (SIGTERM): int64[n, 3] source partition, source offset, and float64 seconds since the epoch in `times`, `kind` 0 for
alerts and 1 for account records (whose source offset is the last transaction that the record counts).
"""

import io
import signal
import sys
import time
from typing import Any

import fastavro
import numpy as np
from confluent_kafka import Consumer, TopicPartition

from monitor.effects.alerts import alert_schema
from monitor.state.layout import HEADER_BYTES
from monitor.wire.framing import unframe

LAST_OFFSET = slice(HEADER_BYTES, HEADER_BYTES + 8)
"""Of a changelog value: `last_offset` is the record's first field."""


def main() -> None:
    brokers, alerts, changelog, file = sys.argv[1:]
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "bench-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "fetch.min.bytes": 1,
        }
    )
    at = []
    for topic in (alerts, changelog):
        for partition in consumer.list_topics(topic, timeout=20).topics[topic].partitions:
            where = TopicPartition(topic, partition)
            at.append(TopicPartition(topic, partition, consumer.get_watermark_offsets(where, timeout=20)[1]))
    consumer.assign(at)
    print("reading", flush=True)
    kinds, places, times = [], [], []
    while not stopped:
        message = consumer.poll(0.1)
        if message is None or message.error():
            continue
        times.append(time.time())
        kinds.append(int(message.topic() == changelog))
        places.append(source_of(message) if message.topic() == alerts else changed(message))
    np.savez(
        file, kind=np.array(kinds, np.int8), places=np.array(places, np.int64).reshape(-1, 2), times=np.array(times)
    )


def source_of(message: Any) -> tuple[int, int]:
    alert: Any = fastavro.schemaless_reader(io.BytesIO(unframe(message.value())[1]), alert_schema(), None)
    return alert["source_partition"], alert["source_offset"]


def changed(message: Any) -> tuple[int, int]:
    return message.partition(), int.from_bytes(message.value()[LAST_OFFSET], "little", signed=True)


if __name__ == "__main__":
    main()
