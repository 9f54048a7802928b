"""Feature vectors as served, held against those of the reference, bit for bit."""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from monitor.pipeline import Decided
from monitor.reconcile.findings import Findings
from monitor.served_vectors import Vectors, catalogue_digest
from monitor.wire.records import Records


class SampledVectors:
    """The sampled vectors of all partitions of every topic there ever was by that name, by offset; compared as the reference goes along."""

    def __init__(self, vectors: Iterable[Vectors]) -> None:
        self._by_log: dict[tuple[str, int], dict[int, tuple[str, str, bytes]]] = defaultdict(dict)
        for each in vectors:
            for offset, row in zip(each.offsets.tolist(), each.features, strict=True):
                self._by_log[each.topic_id, each.partition][offset] = (each.catalogue, each.risk, row.tobytes())

    def compare(
        self, topic_id: str, partition: int, risk: str, records: Records, decided: Decided, found: Findings
    ) -> None:
        """Those of `records`; vectors of other definitions, or of other snapshots of risk than `risk`, are left out."""
        served, width = self._by_log.get((topic_id, partition)), decided.features.shape[1]
        if not served:
            return
        for row, offset in enumerate(records.offsets.tolist()):
            known = served.get(offset)
            if known is None or known[0] != catalogue_digest(width) or known[1] != risk:
                continue
            found.counts["vectors"] += 1
            if known[2] != decided.features[row].tobytes():
                theirs = np.frombuffer(known[2])
                first = int(np.flatnonzero(theirs.view(np.int64) != decided.features[row].view(np.int64))[0])
                found.report(
                    "vectors_differ",
                    1,
                    f"partition {partition}: offset {offset}, column {first}: served {theirs[first]!r}, computed {decided.features[row, first]!r}",
                )
