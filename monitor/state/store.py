"""Our Faust store, `accounts://`: what `table[account_id]` reads is the partition's account records themselves.

Faust never writes through it: a run's changelog records are part of the run's transaction. Faust never recovers through it either:
`monitor.partition` loads the records in bulk before recovery looks (`persisted_offset` says that nothing is left).
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np
from faust.stores.base import Store as BaseStore
from faust.types import TP, EventT

from monitor.errors import ProtocolError
from monitor.state.accounts import Accounts


class Store(BaseStore[bytes, Any]):
    """Account records of the assigned partitions, by account id in UTF-8. Read-only as a mapping."""

    def __post_init__(self) -> None:
        self._partitions: dict[int, Accounts] = {}
        self._loaded_through: dict[int, int] = {}
        self.fatal: Callable[[BaseException], None] | None = None
        """Ends the process: Faust swallows what recovery raises, and waits for ever."""

    def adopt(self, partition: int, accounts: Accounts, changelog_end: int) -> None:
        """Serve `accounts`, which hold the changelog through offset `changelog_end` (-1 for none), as this partition's."""
        self._partitions[partition] = accounts
        self._loaded_through[partition] = changelog_end

    def retain(self, partitions: Collection[int]) -> None:
        """Forget all partitions but these."""
        for partition in set(self._partitions) - set(partitions):
            del self._partitions[partition], self._loaded_through[partition]

    def persisted_offset(self, tp: TP) -> int | None:
        """The changelog offset that is loaded: always the last one, so that Faust has nothing to replay."""
        return self._loaded_through.get(tp.partition)

    def apply_changelog_batch(
        self,
        batch: Iterable[EventT[Any]],
        to_key: Callable[[Any], bytes],  # noqa: ARG002
        to_value: Callable[[Any], Any],  # noqa: ARG002
    ) -> None:
        """Never reached while the protocol holds: fatal, and raises `ProtocolError`."""
        for event in batch:
            message = event.message
            error = ProtocolError(
                f"changelog {message.topic}[{message.partition}] offset {message.offset}: Faust replays what was loaded already; "
                "the state would count it twice"
            )
            if self.fatal is not None:
                self.fatal(error)
            raise error

    def reset_state(self) -> None:
        """Nothing is kept on disk."""

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Faust's memory store drops keys here; ours are dropped with their partition."""

    async def need_active_standby_for(self, tp: TP) -> bool:  # noqa: ARG002 (Faust calls it so)
        """There are no standbys."""
        return False

    async def backup_partition(self, tp: TP | int, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        """The changelog is the backup."""

    def restore_backup(self, tp: TP | int, latest: bool = True, backup_id: int = 0) -> None:
        """The changelog is the backup."""

    def __getitem__(self, account_id: bytes) -> np.void:
        for accounts in self._partitions.values():
            record = accounts.record(account_id)
            if record is not None:
                return record
        raise KeyError(account_id)

    def __contains__(self, account_id: object) -> bool:
        return any(account_id in accounts for accounts in self._partitions.values())

    def __iter__(self) -> Iterator[bytes]:
        for accounts in self._partitions.values():
            yield from accounts

    def __len__(self) -> int:
        return sum(len(accounts) for accounts in self._partitions.values())

    def __setitem__(self, account_id: bytes, value: Any) -> None:
        raise ProtocolError("account records change only inside a run's transaction; write through the pipeline")

    def __delitem__(self, account_id: bytes) -> None:
        raise ProtocolError("account records change only inside a run's transaction; write through the pipeline")

    def clear(self) -> None:
        """Forget every partition."""
        self._partitions.clear()
        self._loaded_through.clear()
