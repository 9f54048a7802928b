"""The job in Quix Streams: a StreamingDataFrame, one row at a time, its state a record of bytes an account, alerts by `to_topic`."""

from typing import Any

import numpy as np
from quixstreams import Application, State

from benchmarks.peers.given import Given, read_transaction
from benchmarks.peers.kernel import ACCOUNT, FRESH, Kernel
from benchmarks.race.progress import Progress

STATE = "account"


def main() -> None:
    given = Given.arguments()
    progress, kernel = Progress(given.progress), Kernel(given.job)
    app = Application(
        broker_address=given.brokers,
        consumer_group=given.name,
        auto_offset_reset="earliest",
        state_dir=given.directory / "state",
        producer_extra_config={"compression.type": "lz4", "linger.ms": 20, "partitioner": "murmur2_random"},
        auto_create_topics=True,
        loglevel="WARNING",
    )
    transactions = app.topic(given.topic, key_deserializer="bytes", value_deserializer="bytes")
    alerts = app.topic(given.alerts, key_serializer="bytes", value_serializer="bytes")

    def watch(value: bytes, _key: Any, _timestamp: int, _headers: Any, state: State[str, bytes]) -> bytes | None:
        transaction = read_transaction(value)
        found = state.get_bytes(STATE)
        account = np.frombuffer(bytearray(found), ACCOUNT) if found else FRESH.copy()
        amount = given.base_amount(transaction["amount_minor"], transaction["currency"])
        credit = transaction["direction"] == "credit"
        score = float(kernel.scores(account, [0], [transaction["event_time"]], [amount], [credit])[0])
        state.set_bytes(STATE, account.tobytes())
        progress.add()
        return given.alert(transaction, score, 0, 0) if score >= given.threshold else None

    rows = app.dataframe(transactions)
    rows = rows.apply(watch, stateful=True, metadata=True)
    rows = rows[rows.apply(lambda value: value is not None)]
    rows.to_topic(alerts)
    progress.begin()
    app.run()


if __name__ == "__main__":
    main()
