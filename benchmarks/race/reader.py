"""`python -m benchmarks.race.reader BROKERS TOPIC FILE`: notes when alerts become readable, read_committed, in a process of its own.

It says `reading` when it stands at the end of the topic, and writes FILE when it is asked to stop (SIGTERM): `ids` of transactions
and `times`, seconds since the epoch. Alerts are decoded at the end, so that decoding delays none.
"""

import signal
import sys
import time

import numpy as np
from confluent_kafka import Consumer, TopicPartition

from benchmarks.race.equality import any_alert


def main() -> None:
    brokers, topic, file = sys.argv[1:]
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": "race-reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "fetch.min.bytes": 1,
        }
    )
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
    print("reading", flush=True)
    values, times = [], []
    while not stopped:
        message = consumer.poll(0.1)
        if message is None or message.error():
            continue
        times.append(time.time())
        values.append(message.value() or b"")
    np.savez(file, ids=np.array([any_alert(value)["transaction_id"] for value in values]), times=np.array(times))


if __name__ == "__main__":
    main()
