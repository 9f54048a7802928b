"""Readers by schema id, asked for once. Blocking, so never called on the event loop; what it has is read from there."""

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from monitor.clock import Clock
from monitor.errors import SchemaError, SchemaIncompatible, SchemaUnavailable, SchemaUnknown
from monitor.guard.reasons import Reason
from monitor.wire.reader import Reader, compile_reader
from monitor.wire.schema_source import SchemaSource

log = logging.getLogger(__name__)

UNKNOWN_S = 60.0
"""How long an id that the source does not know is not asked for again: a schema registered late is picked up then."""

MOST_IDS = 16_384
"""Ids remembered. Altered records name ids at random, so there must be an end."""

MOST_LOOKUPS, ASKING_S = 100, 1.0
"""Ids asked for in one call, and how long one may go on asking: while it does, the payments of that run wait, and whoever else has ids that are new. A
registry counts up from 1 and altered headers do not, so the smallest are asked first."""

IDS_TOLD = 10
"""In a log line."""

_REASONS: Mapping[type[SchemaError], Reason] = {
    SchemaUnknown: Reason.UNKNOWN_SCHEMA,
    SchemaIncompatible: Reason.INCOMPATIBLE_SCHEMA,
    SchemaUnavailable: Reason.SCHEMA_UNAVAILABLE,
}


class ReaderCache:
    """What each schema id is read with, or why it is not.

    A reader and an incompatible schema are kept: an id never changes its schema. An unknown id is asked for again after
    `UNKNOWN_S`. An id that the source gave no answer for is asked for again by the next `resolve`.
    """

    def __init__(self, source: SchemaSource, clock: Clock, asking_s: float = ASKING_S) -> None:
        self._source = source
        self._clock = clock
        self._asking_s = asking_s
        self._found: dict[int, Reader | Reason] = {}
        self._ask_again: dict[int, float] = {}  # monotonic seconds, of unknown and unavailable ids
        self._readers: Mapping[int, Reader | Reason] = MappingProxyType({})
        self._lock = threading.Lock()

    @property
    def readers(self) -> Mapping[int, Reader | Reason]:
        """Everything found so far: an unchanging snapshot, replaced by `resolve`."""
        return self._readers

    def knows(self, ids: Collection[int]) -> bool:
        """Whether `resolve` would have nothing to ask. Does not block."""
        now = self._clock.monotonic_s()
        readers, ask_again = self._readers, self._ask_again
        return all(each < 0 or (each in readers and ask_again.get(each, now + 1) > now) for each in ids)

    def resolve(self, ids: Collection[int]) -> Mapping[int, Reader | Reason]:
        """Ask for what is not known of `ids`, and return `readers`, which then has them all. Never raises on the source's account.

        Blocks; the first id without an answer ends the asking, so for one timeout of the source at most, and so do `MOST_LOOKUPS` and `asking_s` seconds,
        waiting for other callers included. The smallest new id is asked for in any case; what was not asked for is `SCHEMA_UNAVAILABLE`. Negative
        ids are no registry's, and are left out.
        """
        until_s = self._clock.monotonic_s() + self._asking_s
        with self._lock:
            missing = [each for each in sorted(set(ids)) if not self.knows((each,))]
            asked = self._ask_for(missing, until_s)
            now = self._clock.monotonic_s()
            for each in missing:
                self._keep(each, asked.get(each, Reason.SCHEMA_UNAVAILABLE), now)
            if missing:
                self._readers = MappingProxyType(dict(self._found))
            return self._readers

    def _ask_for(self, ids: Sequence[int], until_s: float) -> dict[int, Reader | Reason]:
        """The answers to as many of `ids` as there is time for, in their order."""
        answers: dict[int, Reader | Reason] = {}
        news: dict[int, tuple[Reason, str]] = {}  # said once, not once a run
        for each in ids[:MOST_LOOKUPS]:
            if answers and self._clock.monotonic_s() >= until_s:
                break
            try:
                answers[each] = compile_reader(self._source.writer_schema(each))
            except SchemaError as error:
                answers[each] = reason = _REASONS.get(type(error), Reason.SCHEMA_UNAVAILABLE)
                if self._found.get(each) is not reason:
                    news[each] = reason, str(error)
                if reason is Reason.SCHEMA_UNAVAILABLE:
                    break
        if news:
            reason, why = next(iter(news.values()))
            log.warning(
                "no schema",
                extra={
                    "schema_ids": list(news)[:IDS_TOLD],
                    "count": len(news),
                    "not_asked": len(ids) - len(answers),
                    "reason": reason.code,
                    "error": why,
                },
            )
        return answers

    def _keep(self, schema_id: int, found: Reader | Reason, now: float) -> None:
        self._forget(schema_id)
        self._found[schema_id] = found
        if found is Reason.UNKNOWN_SCHEMA:
            self._ask_again[schema_id] = now + UNKNOWN_S
        elif found is Reason.SCHEMA_UNAVAILABLE:
            self._ask_again[schema_id] = now
        while len(self._found) > MOST_IDS:  # the oldest that has no schema, else the oldest
            self._forget(next(iter(self._ask_again or self._found)))

    def _forget(self, schema_id: int) -> None:
        self._found.pop(schema_id, None)
        self._ask_again.pop(schema_id, None)
