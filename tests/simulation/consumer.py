"""The production transport's consumer on the simulated broker: `monitor.wire.transport.Consumer` itself, over a client that fetches in memory."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import islice
from random import Random
from types import SimpleNamespace
from typing import Any

from faust.transport.drivers import aiokafka
from faust.types import TP

from monitor.wire import transport
from tests.simulation import known
from tests.simulation.broker import Broker

FETCH_S = 0.03
"""A fetch that finds something takes up to this long."""


class _Client(aiokafka.Consumer):
    """What the transport builds upon: positions, fetches and acknowledgements, as Faust and aiokafka would have them."""

    def __init__(
        self,
        host: Any,
        broker: Broker,
        random: Random,
        committed: Callable[[int], int | None],
        cuts: list[list[int]] | None,
    ) -> None:
        # Nothing of Faust's own construction: it wants an app, and a thread with a Kafka client.
        self.app = SimpleNamespace(host=host, should_stop=False)
        self._broker, self._random, self._committed, self._cuts = broker, random, committed, cuts
        self._acked: dict[TP, list[int]] = defaultdict(list)
        self._acked_index: dict[TP, set[int]] = defaultdict(set)
        self._at: dict[TP, int] = {}
        self._ours: set[TP] = set()
        self.active: set[TP] = set()
        self.generation = -1
        self.news = asyncio.Event()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Any]]:
        found: dict[TP, list[Any]] = {}
        read_from: dict[TP, int] = {}
        self.news.clear()
        for tp in sorted(active_partitions or ()):
            at = self._at.get(tp)
            if at is None:
                continue
            log = self._broker.log(tp.topic, tp.partition)
            start, end = max(at, log.first), self._end(tp, at)
            records = list(islice(log.committed(start, end), self._most()))
            if end is not None and not records:  # nothing but what was aborted
                records = list(log.committed(start))
            if records:
                found[tp], read_from[tp] = records, at
        await asyncio.sleep(self._random.random() * FETCH_S)
        for tp, records in list(found.items()):
            if tp not in self.active:
                del found[tp]  # taken away, or paused
            elif self._at[tp] != read_from[tp]:
                # A seek overtook the fetch. aiokafka drops what was fetched; a client that does not must do no harm, unless it skips.
                if self._at[tp] < records[0].offset or self._random.random() < 0.5:
                    del found[tp]
            else:
                self._at[tp] = records[-1].offset + 1
        return {tp: [known.columns(records)] if self._is_folded(tp) else records for tp, records in found.items()}

    def _most(self) -> int | None:
        return None if self._cuts else self._random.choice((3, 50, 100, 100))

    def _end(self, tp: TP, at: int) -> int | None:
        """Where a fetch from `at` ends, at the latest."""
        if self._cuts is None:
            return None
        return self._random.choice([*[cut for cut in self._cuts[tp.partition] if cut > at][:2], None, None])

    async def _seek(self, partition: TP, offset: int) -> None:
        await asyncio.sleep(0)
        self._at[partition] = offset

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Where reading would begin if nobody sought: at the group's offset."""
        for tp in assigned:
            if self._is_folded(tp):
                self._at[tp] = self._committed(tp.partition) or 0
                self._ours.add(tp)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Faust forgets what was acked and not committed."""
        for tp in revoked:
            self._at.pop(tp, None)
            self._ours.discard(tp)

    async def highwaters(self, *partitions: TP) -> Mapping[TP, int]:
        """Of no changelog."""
        await asyncio.sleep(0)
        return dict.fromkeys(partitions, 0)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Faust's own: to what the group has committed."""
        await asyncio.sleep(0)
        return {tp: self._committed(tp.partition) or 0 for tp in sorted(self._ours)}


class SimConsumer(transport.Consumer, _Client):
    """`super()` in the transport is `_Client`, in its constructor as everywhere."""

    def revoke(self, tps: set[TP]) -> None:
        """What Faust does before it tells anybody: acks that are not committed yet are forgotten."""
        self.active -= tps
        for tp in tps:
            self._acked.pop(tp, None)
            self._acked_index.pop(tp, None)

    def ack(self, tp: TP, offset: int) -> bool:
        """What is read up to `offset` is done with. As in Faust, nobody asks in which generation it was read."""
        if tp not in self._ours or offset in self._acked_index[tp]:
            return False
        self._acked[tp].append(offset)
        self._acked_index[tp].add(offset)
        return True

    def to_commit(self) -> dict[int, int]:
        """Partition -> offset: what the transport would have committed now."""
        found = {tp.partition: self._new_offset(tp) for tp in list(self._acked) if self._is_folded(tp)}
        return {partition: offset for partition, offset in found.items() if offset is not None}
