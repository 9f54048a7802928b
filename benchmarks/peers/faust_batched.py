"""The job in Faust by somebody who knows what it costs: many events at a time, one table of bytes, compiled windows, one call of the forest.

`take_events` gives the batch; a table cannot be written inside it without a current event, hence the partitioner. An account that comes
several times in a batch is written once. fastavro reads one record at a time.
"""

import sys

import faust
import numpy as np

from benchmarks.peers.given import Given, read_transaction
from benchmarks.peers.kernel import ACCOUNT, FRESH, Kernel
from benchmarks.race.progress import Progress

MOST, WITHIN_S = 2000, 0.05

given = Given.arguments()
progress = Progress(given.progress)
kernel = Kernel(given.job)

app = faust.App(
    given.name,
    broker=f"kafka://{given.brokers}",
    datadir=str(given.directory / "faust"),
    topic_partitions=4,
    consumer_auto_offset_reset="earliest",
    stream_buffer_maxsize=2 * MOST,
    broker_max_poll_records=MOST,
    producer_compression_type="lz4",
    producer_linger=0.02,
    producer_max_batch_size=1 << 19,
    web_enabled=False,
)
transactions = app.topic(given.topic, key_type=bytes, value_serializer="raw")
alerts = app.topic(given.alerts, key_type=bytes, value_serializer="raw")
accounts = app.Table("accounts", key_type=bytes, value_type=bytes, partitions=4)


@app.agent(transactions)
async def watch(stream: faust.StreamT[bytes]) -> None:
    async for events in stream.take_events(MOST, within=WITHIN_S):  # type: ignore[attr-defined]
        read = [read_transaction(event.value) for event in events]
        slot_of: dict[bytes, int] = {}
        slots = [slot_of.setdefault(event.key, len(slot_of)) for event in events]
        records = np.concatenate(
            [np.frombuffer(found, ACCOUNT) if (found := accounts.get(key)) else FRESH for key in slot_of]
        )
        scores = kernel.scores(
            records,
            slots,
            [each["event_time"] for each in read],
            [given.base_amount(each["amount_minor"], each["currency"]) for each in read],
            [each["direction"] == "credit" for each in read],
        )
        partitions = {event.key: event.message.partition for event in events}
        for key, slot in slot_of.items():
            value = records[slot].tobytes()
            accounts.data[key] = value
            accounts.send_changelog(partitions[key], key, value)
        for i in np.flatnonzero(scores >= given.threshold).tolist():
            where = events[i].message
            value = given.alert(read[i], float(scores[i]), where.partition, where.offset)
            await alerts.send(key=events[i].key, value=value)
        progress.add(len(events))


if __name__ == "__main__":
    progress.begin()
    sys.argv = ["faust", "worker", "-l", "warn", "--without-web"]
    app.main()
