"""What data a model was made of, as one number: the same however the stream was cut into slices."""

from hashlib import sha256

import numpy as np

from monitor.learn.payments import Payments
from monitor.wire.columns import LONGS, STRINGS
from monitor.wire.gather import gathered


class Digest:
    """SHA-256 over payments and labels. Each column is digested by itself, then the digests, so that slices leave no trace."""

    def __init__(self) -> None:
        self._numbers = [sha256() for _ in (*LONGS, "fraud", "label_time")]
        self._texts = [(sha256(), sha256()) for _ in STRINGS]

    def update(self, part: Payments) -> None:
        """The next slice."""
        columns = part.columns
        numbers = [*columns.longs, part.fraud, part.label_time]
        for digest, column in zip(self._numbers, numbers, strict=True):
            digest.update(np.ascontiguousarray(column).view(np.uint8).data)
        for (lengths, text), starts, sizes in zip(self._texts, columns.starts, columns.lengths, strict=True):
            lengths.update(np.ascontiguousarray(sizes).view(np.uint8).data)
            text.update(gathered(columns.data, starts, sizes).data)

    def hexdigest(self) -> str:
        """Of all slices so far."""
        parts = [*self._numbers, *(digest for pair in self._texts for digest in pair)]
        return sha256(b"".join(digest.digest() for digest in parts)).hexdigest()
