"""The job in Bytewax: a dataflow keyed by account, decoding and scoring by the batch, state snapshots to SQLite every ten seconds.

Bytewax has no changelog topic: its recovery store stands in for it. Windows and forest are lent kernels.
"""

from datetime import timedelta
from typing import Any

import bytewax.operators as op
import numpy as np
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main
from confluent_kafka import OFFSET_BEGINNING

from benchmarks.peers.given import Given, read_transaction
from benchmarks.peers.kernel import ACCOUNT, FRESH, Kernel
from benchmarks.race.progress import Progress

BATCH = 2000
EPOCH = timedelta(seconds=10)
"""Its default: between two snapshots."""

Row = tuple[dict[str, Any], Any, Any]
"""The transaction, its message, and its features, float32[1, features]."""


def main() -> None:
    given = Given.arguments()
    progress, kernel = Progress(given.progress), Kernel(given.job)

    def decoded(messages: list[Any]) -> list[tuple[str, Any]]:
        read = [read_transaction(each.value) for each in messages]
        return [(one["account_id"], (one, message)) for one, message in zip(read, messages, strict=True)]

    def met(state: bytes | None, value: tuple[dict[str, Any], Any]) -> tuple[bytes, Row]:
        transaction, message = value
        account = np.frombuffer(bytearray(state), ACCOUNT) if state else FRESH.copy()
        amount = given.base_amount(transaction["amount_minor"], transaction["currency"])
        credit = transaction["direction"] == "credit"
        row = kernel.rows(account, [0], [transaction["event_time"]], [amount], [credit])
        return account.tobytes(), (transaction, message, row)

    def judged(batch: list[tuple[str, Row]]) -> list[KafkaSinkMessage[bytes, bytes]]:
        scores = kernel.score(np.concatenate([row for _, (_, _, row) in batch]))
        found = []
        for i in np.flatnonzero(scores >= given.threshold).tolist():
            transaction, message, _ = batch[i][1]
            value = given.alert(transaction, float(scores[i]), message.partition, message.offset)
            found.append(KafkaSinkMessage(message.key, value))
        progress.add(len(batch))
        return found

    flow = Dataflow("race")
    source: Any = KafkaSource([given.brokers], [given.topic], starting_offset=OFFSET_BEGINNING, batch_size=BATCH)
    keyed = op.flat_map_batch("decode", op.input("transactions", flow, source), decoded)
    rows = op.stateful_map("windows", keyed, met)
    alerts = op.flat_map_batch("score", rows, judged)
    op.output("alerts", alerts, KafkaSink([given.brokers], given.alerts, {"compression.type": "lz4"}))
    recovery = given.directory / "recovery"
    recovery.mkdir()
    init_db_dir(recovery, 1)
    progress.begin()
    run_main(flow, epoch_interval=EPOCH, recovery_config=RecoveryConfig(str(recovery)))


if __name__ == "__main__":
    main()
