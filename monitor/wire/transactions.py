"""The producer of one partition: everything a run leaves behind in one Kafka transaction."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from monitor.effects.message import Message
from monitor.errors import CommitError, FencedError
from monitor.failpoints import Reach, pass_by

_FENCED = (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED)


BY_KEY = -1
"""The partition of a message that goes where its key says: RD_KAFKA_PARTITION_UA."""

LINGER_MS = 1_000
"""Longer than a run takes to be handed over: the commit sends it then, in whole batches, at once. With 0, librdkafka's threads wake for
single messages while the run is still handed over: 1.5 us a transaction instead of 1.2 where nearly every one leaves a changelog record."""


class TransactionalWriter:
    """Blocking; one thread at a time. After any error the writer is of no further use, and neither is the state of its partition.

    `commit_timeout_s` bounds a commit, `fence_timeout_s` the fencing; librdkafka retries what can be retried within them.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        transactional_id: str,
        commit_timeout_s: float,
        transaction_timeout_ms: int,
        fence_timeout_s: float | None = None,
        reach: Reach = pass_by,
    ) -> None:
        self._timeout_s = commit_timeout_s
        self._fence_timeout_s = commit_timeout_s if fence_timeout_s is None else fence_timeout_s
        self._reach = reach
        self._id = transactional_id
        self._failed: list[str] = []
        self._producer = Producer(
            {
                **config,
                "transactional.id": transactional_id,
                # beyond our own bound, so that a commit we gave up on is not still open when the next owner fences it
                "transaction.timeout.ms": transaction_timeout_ms,
                "linger.ms": LINGER_MS,
                "delivery.report.only.error": True,  # that they arrived is what the commit says
                "on_delivery": self._note_failure,  # here, not with each message: that takes as long as the message
                "compression.type": "lz4",
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 1 << 20,
            }
        )

    def fence(self) -> None:
        """Become the partition's only writer: an older one's open transaction is aborted. Raises `CommitError`."""
        try:
            self._producer.init_transactions(self._fence_timeout_s)
        except KafkaException as error:
            raise self._as_error("init_transactions", error) from error

    def commit(self, messages: Iterable[Message]) -> None:
        """Write all of `messages`, or nothing. Raises `FencedError` or `CommitError`; then it may have happened or not."""
        produce = self._producer.produce
        try:
            self._producer.begin_transaction()
            for topic, key, value, partition, headers in messages:
                where = BY_KEY if partition is None else partition
                if headers:
                    some: Any = headers  # librdkafka's stub wants a list of wider pairs, and lists are invariant
                    produce(topic, value, key, where, headers=some)
                else:  # nearly all: an empty list would make it half as fast again
                    produce(topic, value, key, where)
            if self._reach is not pass_by:
                self._send_all()
            self._reach("run_produced")
            self._producer.commit_transaction(self._timeout_s)
        except KafkaException as error:
            raise self._as_error("commit_transaction", error) from error
        except BufferError as error:
            raise CommitError(
                f"transactional id {self._id}: the producer's queue is full; lower max_run_records"
            ) from error
        if self._failed:
            raise CommitError(
                f"transactional id {self._id}: a delivery failed inside a committed transaction: {self._failed[0]}"
            )

    def _send_all(self) -> None:
        """Without the commit, for who stands at a failpoint: what lingers with us would never have been in an open transaction."""
        with suppress(SystemError):  # what the client makes of a fatal error here; `commit_transaction` names it
            self._producer.flush(self._timeout_s)

    def _note_failure(self, error: KafkaError | None, _message: Any) -> None:
        if error is not None:
            self._failed.append(str(error))

    def _as_error(self, call: str, error: KafkaException) -> CommitError:
        cause = error.args[0]
        if cause.code() in _FENCED:
            return FencedError(
                f"transactional id {self._id}: another worker owns this partition now ({cause}); this one leaves"
            )
        reason = f"; first failed delivery: {self._failed[0]}" if self._failed else ""
        return CommitError(
            f"transactional id {self._id}: {call} failed (commit_timeout_s = {self._timeout_s:g}): {cause}{reason}; "
            "the restart resumes from the audit log"
        )
