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
from monitor.state.migrations import records_of
from monitor.wire.framing import unframe

AT_ONCE = 4096
"""Account records unpacked together."""


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
    changed: list[Any] = []
    while not stopped:
        message = consumer.poll(0.1)
        if message is None or message.error():
            continue
        times.append(time.time())
        kinds.append(int(message.topic() == changelog))
        if message.topic() == changelog:
            changed.append((message.key(), message.value()))  # unpacked when all is over, not to fall behind
            places.append((message.partition(), -1))
        else:
            places.append(source_of(message))
    kind, place = np.array(kinds, np.int8), np.array(places, np.int64).reshape(-1, 2)
    place[kind == 1, 1] = last_offsets(changed)
    np.savez(file, kind=kind, places=place, times=np.array(times))


def source_of(message: Any) -> tuple[int, int]:
    alert: Any = fastavro.schemaless_reader(io.BytesIO(unframe(message.value())[1]), alert_schema(), None)
    return alert["source_partition"], alert["source_offset"]


def last_offsets(changed: list[tuple[bytes, bytes]]) -> list[int]:
    """Of account records by key, the last transaction that each counts."""
    offsets: list[int] = []
    for first in range(0, len(changed), AT_ONCE):
        keys, values = zip(*changed[first : first + AT_ONCE], strict=True)
        offsets += records_of(keys, values)["last_offset"].tolist()
    return offsets


if __name__ == "__main__":
    main()
