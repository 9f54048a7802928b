"""The feature vectors that serving computed, of a sample of the accounts: so that training and serving can be held against each other, bit for bit.

Accounts are sampled by their hash, so that all of an account's payments are in the sample or none. `monitor reconcile` computes the same vectors
anew from the transactions and compares.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from monitor.features.catalogue import CATALOGUE, feature_set_digest
from monitor.sideline import Aside, Watched
from monitor.state.dispositions import Disposition
from monitor.wire.columns import ACCOUNT_ID
from monitor.wire.our_records import read_record, write_record

SCHEMA = "vectors-block.avsc"


@dataclass(frozen=True, slots=True)
class Vectors:
    """Of one run, `n` sampled records: `offsets` int64[n]; `features` float64[n, k], the first k columns of the catalogue whose
    definitions have the digest `catalogue`. `risk`: the snapshots that they rest on.
    """

    topic_id: str
    partition: int
    risk: str
    catalogue: str
    offsets: NDArray[np.int64]
    features: NDArray[np.float64]


class ServedVectors:
    """Writes those of one account in `every`; 0: of none."""

    name = "vectors"

    def __init__(self, topic: str, schema_id: int, every: int) -> None:
        self._topic, self._schema_id, self._every = topic, schema_id, every

    @property
    def looks(self) -> bool:
        """Whether anything is sampled."""
        return self._every > 0

    def see(self, watched: Watched) -> Aside | None:
        """The vectors of a run's sampled accounts; None without any."""
        decided = watched.decided
        chosen = decided.columns.hashes[ACCOUNT_ID] % np.uint64(self._every) == 0
        rows = np.flatnonzero(chosen & (decided.dispositions == int(Disposition.SCORED)))
        if not rows.size:
            return None
        vectors = Vectors(
            topic_id=watched.topic_id,
            partition=watched.run.partition,
            risk=watched.context.versions.get("risk", ""),
            catalogue=catalogue_digest(decided.features.shape[1]),
            offsets=watched.run.records.offsets[rows],
            features=decided.features[rows],
        )
        return Aside(self._topic, str(vectors.partition).encode(), vectors_value(vectors, self._schema_id))


def vectors_value(vectors: Vectors, schema_id: int) -> bytes:
    """As a Kafka value: schemas/vectors-block.avsc."""
    record = {
        "topic_id": vectors.topic_id,
        "partition": vectors.partition,
        "risk": vectors.risk,
        "catalogue": vectors.catalogue,
        "columns": vectors.features.shape[1],
        "offsets": vectors.offsets.astype("<i8").tobytes(),
        "features": vectors.features.astype("<f8").tobytes(),
    }
    return write_record(SCHEMA, record, schema_id)


def read_vectors(value: bytes) -> Vectors:
    """Those of a Kafka value. Raises `ValueError` for what is none."""
    read = read_record(SCHEMA, value)
    offsets = np.frombuffer(read["offsets"], "<i8")
    features = np.frombuffer(read["features"], "<f8").reshape(len(offsets), read["columns"])
    return Vectors(read["topic_id"], read["partition"], read["risk"], read["catalogue"], offsets, features)


@cache
def catalogue_digest(columns: int) -> str:
    """Of the definitions of the first columns."""
    return feature_set_digest(tuple(feature.name for feature in CATALOGUE[:columns]))
