"""What people have decided by hand, as a run is decided with it: one immutable value, replaced whole between runs.

A control is in force for a payment whose `event_time` is in `[from_ms, until_ms)`: by the payment's own time, so that a replay finds the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Suppression:
    """Withholds alerts that one of these asks for: all set parts must fit. `account_id`, `rule_id` and `reason_code` None: any; at least one is set.

    The model is the rule `model`. Blocks are withheld only where `blocks` says so, and those that cannot be overridden never.
    """

    control_id: str
    account_id: str | None
    rule_id: str | None
    reason_code: str | None
    blocks: bool
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Override:
    """`outcome` (a place in `policy.OUTCOMES`) stands for the account's payments, whatever model and rules ask for."""

    control_id: str
    account_id: str
    outcome: int
    from_ms: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class Controls:
    """`version` names them in audit blocks, "" for none at all; `lists`: words that rules look up, by the name of their list, sorted; `rails`: those that a
    person has walled off or opened (`walled`, `open`), by name; the others are the worker's own affair.
    """

    version: str = ""
    suppressions: tuple[Suppression, ...] = ()
    overrides: tuple[Override, ...] = ()
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    rails: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


NO_CONTROLS = Controls()
