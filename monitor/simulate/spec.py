"""What to simulate: everything the output depends on, and nothing else."""

from dataclasses import dataclass

from monitor.errors import SettingsError
from monitor.simulate.scenarios import SCENARIOS

DAY_MS = 86_400_000

DEFAULT_START_MS = 1_767_571_200_000
"""Monday, 2026-01-05T00:00:00Z."""

PER_ACCOUNT = 60
"""Transactions an account when the number of accounts is not given: enough past for its own baselines to mean something."""

PER_ACCOUNT_AND_DAY = 2.0
"""Mean rate of an account when the number of days is not given."""

SHORTEST_DAYS, LONGEST_DAYS = 14.0, 400.0

ALL_SCENARIOS: tuple[tuple[str, float], ...] = tuple((scenario.name, 1.0) for scenario in SCENARIOS)


@dataclass(frozen=True, slots=True)
class SimulationSpec:
    """A simulation. Equal specs give equal bytes, on every machine. Raises `SettingsError` when a field is out of range.

    `transactions` is the exact number of records, fraud and retries included. `scenarios` are (name, intensity) pairs: each
    gets its share of the fraud in proportion; none: no fraud. `fraud_share`, `duplicates`, `late`: shares of all records; `corrupt`: of the messages, files have none.
    `days` None: such that an account has 2 a day, between 14 and 400. `accounts` None: a sixtieth of the transactions.
    """

    seed: int = 1
    transactions: int = 50_000
    accounts: int | None = None
    start_ms: int = DEFAULT_START_MS
    days: float | None = None
    scenarios: tuple[tuple[str, float], ...] = ALL_SCENARIOS
    fraud_share: float = 0.007
    duplicates: float = 0.001
    late: float = 0.0
    corrupt: float = 0.0

    def __post_init__(self) -> None:
        _require(0 <= self.seed < 1 << 63, "seed", self.seed, "between 0 and 2**63 - 1")
        _require(1 <= self.transactions <= 10**11, "transactions", self.transactions, "between 1 and 10**11")
        _require(
            self.accounts is None or 10 <= self.accounts <= 10**7, "accounts", self.accounts, "between 10 and 10**7"
        )
        _require(0 <= self.start_ms <= 4_000_000_000_000, "start_ms", self.start_ms, "milliseconds since 1970")
        _require(self.days is None or 0.01 <= self.days <= 4000, "days", self.days, "between 0.01 and 4000")
        for name in ("fraud_share", "duplicates", "late", "corrupt"):
            share = getattr(self, name)
            _require(0 <= share <= 0.2, name, share, "a share between 0 and 0.2")
        known = [scenario.name for scenario in SCENARIOS]
        for name, intensity in self.scenarios:
            _require(name in known, "scenario", name, f"one of {', '.join(known)}")
            _require(0 < intensity <= 1000, f"scenario {name}: intensity", intensity, "above 0 and at most 1000")
        names = [name for name, _ in self.scenarios]
        _require(len(set(names)) == len(names), "scenarios", names, "each named once")

    @property
    def account_count(self) -> int:
        """How many accounts there are; some of the quietest may make no payment."""
        return self.accounts if self.accounts is not None else max(self.transactions // PER_ACCOUNT, 10)

    @property
    def duration_ms(self) -> int:
        """How much event time the stream covers."""
        days = self.days
        if days is None:
            days = self.transactions / self.account_count / PER_ACCOUNT_AND_DAY
            days = min(max(days, SHORTEST_DAYS), LONGEST_DAYS)
        return round(days * DAY_MS)

    @property
    def end_ms(self) -> int:
        """The event time before which everything happens."""
        return self.start_ms + self.duration_ms

    @property
    def fraud_budget(self) -> tuple[tuple[str, int], ...]:
        """How many fraudulent records each scenario is asked for."""
        total = sum(intensity for _, intensity in self.scenarios)
        return tuple((name, round(self.transactions * self.fraud_share * x / total)) for name, x in self.scenarios)


def _require(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise SettingsError(f"{name} = {value!r}: must be {wanted}")
