"""The partitions that are ours, by number: what the transport asks about them, and where it hands their chunks."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from monitor.errors import BrokerError, TopicError
from monitor.partition import Partition, Surroundings
from monitor.settings import Settings

log = logging.getLogger(__name__)


class Partitions:
    """The partitions that are ours now: what the transport asks (`monitor.wire.transport.Host`), and where chunks go."""

    def __init__(
        self, settings: Settings, around: Surroundings, store: Callable[[], Any], topic_id: str | None = None
    ) -> None:
        self.source_topic = settings.topic_transactions
        self.changelog_topic = settings.changelog_topic
        self._commit_timeout_s = settings.commit_timeout_s
        self._around = around
        self._store = store
        self._held: dict[int, Partition] = {}
        self._kept: dict[int, Partition] = {}
        self._generation = -1
        self._topic_id = topic_id
        self._doubts = 0

    async def assigned(self, partitions: Sequence[int], generation: int) -> None:
        """Fence them all at once and find their tails."""
        self._around.metrics.record_rebalance(partitions)
        self._around.health.note_assigned(partitions)
        self._around.rails.rebalanced(partitions)
        self._around.clock_watch.rebalanced(partitions)
        self._generation = generation
        held = {number: Partition(number, self._around) for number in partitions}
        try:
            await asyncio.gather(*(held[number].take(self._kept.get(number)) for number in partitions))
        except Exception as error:  # whatever it is, Faust would go on with a partition that nobody has taken over
            self._around.fatal(error)
            raise
        self._held = held
        for number, partition in held.items():
            # Faust asks right after this how far the state is loaded, and only then for the state to be loaded.
            self._store().adopt(number, partition.accounts, partition.changelog_end)
        self._store().retain(held)
        self._kept = {}
        log.info("partitions assigned", extra={"partitions": list(partitions), "generation": generation})

    async def revoked(self, partitions: Sequence[int]) -> None:
        """Let the runs in flight end; keep the state aside, in case the partition comes straight back."""
        leaving = [self._held.pop(number) for number in partitions if number in self._held]
        await asyncio.gather(*(partition.stop() for partition in leaving))
        self._kept = {partition.number: partition for partition in leaving if partition.is_settled}
        log.info("partitions revoked", extra={"partitions": list(partitions), "settled": sorted(self._kept)})
        self._around.health.note_revoked(partitions)
        for number in partitions:
            self._around.metrics.remove_partition(number)
            self._around.clock_watch.forget(number)

    async def recover(self, partition: int) -> int | None:
        """Load the partition's state, serve it through the table, and begin to decide.

        None for a partition that is revoked meanwhile: another rebalance is under way, and its recovery follows.
        """
        held = self._held.get(partition)
        if held is None:
            return None
        try:
            async with asyncio.timeout(self._around.recovery_timeout_s):
                end = await held.recover()
        except TimeoutError:
            error = BrokerError(
                f"partition {partition}: its state is not loaded after recovery_timeout_s = {self._around.recovery_timeout_s:g}; "
                "is Kafka overloaded? Raise the setting, or give the topic more partitions"
            )
            self._around.fatal(error)
            raise error from None
        except Exception as error:  # Faust would wait for ever for a recovery that failed
            self._around.fatal(error)
            raise
        if self._held.get(partition) is not held:
            return None
        self._store().adopt(partition, held.accounts, end)
        self._around.health.note_recovered(partition)
        held.start()
        log.info(
            "partition recovered",
            extra={"partition": partition, "accounts": len(held.accounts), "next_offset": held.next_offset},
        )
        return end

    def next_offset(self, partition: int) -> int | None:
        """The first offset that is not decided; None for a partition that is not ours (any more)."""
        held = self._held.get(partition)
        return None if held is None else held.next_offset

    async def stop(self) -> None:
        """Let every run in flight end, however long its commit may take, and take up no other."""
        await asyncio.gather(*(held.stop(self._commit_timeout_s) for held in self._held.values()))
        await self.revoked(self.numbers)

    def fetched(self) -> None:
        """A sign of life of the consumer."""
        self._around.health.note_poll()

    def failed(self, error: Exception) -> Exception:
        """The consumer cannot go on: the process ends with this error, which is handed back to be raised."""
        self._around.fatal(error)
        return error

    def put(self, event: Any) -> None:
        """Hand a chunk to its partition; one that was fetched in another generation is dropped, and will be read again."""
        partition = self._held.get(event.message.partition)
        if partition is not None and event.message.generation_id == self._generation:
            partition.put(event)

    def has_room(self, partition: int) -> bool:
        """Whether more may be fetched for a partition; true for one that is not ours, whose chunks are dropped."""
        held = self._held.get(partition)
        return held is None or held.room.is_set()

    async def wait_for_room(self, timeout_s: float) -> None:
        """Until one of the partitions has room again."""
        waiting = [asyncio.ensure_future(held.room.wait()) for held in self._held.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()

    async def check_source(self) -> None:
        """Whether the source topic is still the one that was audited: gone, made anew or cut is fatal, when it is seen twice running.

        Once may be a broker that has just come up. Without partitions too: a topic that is gone takes them all away.
        """
        takeover, loop = self._around.takeover, asyncio.get_running_loop()
        partitions = [held for held in self._held.values() if held.is_deciding]
        try:
            self._topic_id = await loop.run_in_executor(self._around.executor, takeover.check_topic, self._topic_id)
            for partition in partitions:
                await loop.run_in_executor(
                    self._around.executor, takeover.check_source, partition.position, self._topic_id
                )
        except TopicError as error:
            self._doubts += 1
            if self._doubts > 1:
                self._around.fatal(error)
        except BrokerError as error:
            log.warning("the source topic is not checked", extra={"error": str(error)})
        else:
            self._doubts = 0

    @property
    def numbers(self) -> list[int]:
        """The partitions held."""
        return sorted(self._held)
