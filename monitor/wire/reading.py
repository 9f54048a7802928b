"""How far a client has read each partition, and so what a chunk follows: across seeks that come while a fetch is under way."""


class Reading:
    """Where reading stands, partition by partition: the offset before the next one that the client will hand over.

    A chunk follows what was read before it, unless a seek came between: then whether its records were fetched before the seek or
    after it is not known. So a fetch begins with `mark`, and each of its chunks is told to `advance`.
    """

    def __init__(self) -> None:
        self._through: dict[int, int] = {}
        self._marked: dict[int, int] = {}

    def mark(self) -> None:
        """A fetch begins."""
        self._marked = dict(self._through)

    def advance(self, partition: int, last: int) -> int | None:
        """Records up to offset `last` were handed over; the offset they follow, None when that is not known."""
        before = self._marked.get(partition)
        follows = before if before == self._through.get(partition) else None
        self._through[partition] = last
        return follows

    def sought(self, partition: int, offset: int) -> None:
        """The client will go on at `offset`."""
        self._through[partition] = offset - 1

    def next(self, partition: int) -> int | None:
        """The offset that comes next; None when that is not known."""
        through = self._through.get(partition)
        return None if through is None else through + 1

    def forget(self) -> None:
        """Where reading stands is not known any more: another generation, or a seek that is not ours."""
        self._through.clear()
