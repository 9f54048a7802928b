"""What a run is decided with, beside its records and the accounts."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.controls.controls import Controls
from monitor.decide.by_hand import NOTHING_BY_HAND, ByHand
from monitor.effects.names import Names
from monitor.guard.reasons import Reason
from monitor.guard.validate import Limits
from monitor.money.exchange import ExchangeTable
from monitor.rails.walled import NONE_WALLED, Walled
from monitor.risk.book import Book
from monitor.rules.ruleset import Engine
from monitor.scoring.model import Model
from monitor.state.accounts import SWEEP_AT_LEAST
from monitor.wire.decode import Reader
from monitor.wire.hashing import HashKey


@dataclass(frozen=True, slots=True)
class Context:
    """Everything a decision depends on beside the run and the accounts. Never changed; replaced whole, between runs."""

    names: Names
    readers: Mapping[int, Reader | Reason]
    hash_key: HashKey
    max_value_bytes: int
    exchange: ExchangeTable
    limits: Limits
    idle_ttl_ms: int
    model: Model | None
    risk: Book
    rules: Engine | None
    alert_schema_id: int
    audit_schema_id: int
    dlq_max_bytes: int
    versions: Mapping[str, str]
    cooldown_ms: int
    by_hand: ByHand = NOTHING_BY_HAND
    walled: Walled = NONE_WALLED
    explaining: bool = True
    """False: alerts go without the model's explanation (`monitor/shedding.py`)."""
    sweep_at_least: int = SWEEP_AT_LEAST
    """0: forgotten accounts stay in memory."""

    @property
    def controls(self) -> Controls:
        """What people have decided by hand."""
        return self.by_hand.controls

    @property
    def risk_kinds(self) -> tuple[int, ...]:
        """What the model or a rule looks up in the book of risk."""
        return tuple(sorted({kind for each in (self.model, self.rules) if each for kind in each.risk_kinds}))
