"""`python -m benchmarks.fetch_and_decode BROKERS TOPIC PROGRESS`: fetches a topic and decodes it, as any Python program would, and does nothing else.

confluent-kafka and fastavro alone: the measure that `benchmarks.gate` holds ours against. None of our code is in it, so that no change of
ours makes it slower too. It goes on until it is killed.
"""

import io
import json
import sys
import uuid
from pathlib import Path

import fastavro
from confluent_kafka import Consumer, TopicPartition

from benchmarks.race.progress import Progress

SCHEMA = Path(__file__).parents[1] / "schemas" / "transaction.avsc"
FRAME_BYTES = 5
"""Magic byte and schema id, before the Avro."""

FETCHED = 10_000
"""At most, in one call."""


def main() -> None:
    brokers, topic, progress = sys.argv[1:]
    schema = fastavro.parse_schema(json.loads(SCHEMA.read_text()))
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"fetch-and-decode-{uuid.uuid4().hex[:6]}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
    done = Progress(Path(progress))
    done.begin()
    while True:
        messages = consumer.consume(FETCHED, timeout=0.1)
        for message in messages:
            value = message.value() or b""
            fastavro.schemaless_reader(io.BytesIO(value[FRAME_BYTES:]), schema)
        done.add(len(messages))


if __name__ == "__main__":
    main()
