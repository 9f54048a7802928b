"""What the checker counts, and the first of each kind in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DEFECTS = {
    "lost": "transactions decided never",
    "twice": "transactions decided more than once",
    "phantom": "decisions without a transaction",
    "out_of_order": "decisions, alerts or dead letters behind a later one",
    "decisions_differ": "decisions unlike those of the reference",
    "vectors_differ": "served feature vectors that are not, bit for bit, the reference's",
    "state_differs": "accounts unlike the reference's",
    "alerts_lost": "alerts due and not there",
    "alerts_twice": "alerts more than once",
    "alerts_foreign": "alerts that no decision stands for, or unlike it",
    "dead_letters_lost": "dead letters due and not there",
    "dead_letters_twice": "dead letters more than once",
    "dead_letters_foreign": "dead letters that no decision stands for, or unlike it",
    "group_ahead": "partitions whose group offset is beyond what was decided",
}
"""Each must be none."""

FACTS = ("transactions", "undecided", "on_trust", "duplicates", "conflicts", "alerts", "withheld_alerts", "dead_letters", "accounts", "accounts_split", "blocks", "vectors", "not_scored_anew")  # fmt: skip

SHOWN = 10
"""Findings of one kind that are put in words."""


@dataclass(slots=True)
class Findings:
    """Counts by name, words for the first of each defect, notes on what was not compared and why."""

    counts: Counter[str] = field(default_factory=Counter)
    words: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    audit_verified: bool = True
    group_at_end: bool = True

    def report(self, defect: str, count: int, words: str) -> None:
        """Count a defect `count` times, nothing for 0; `words` say what and where."""
        if count:
            before = sum(each.startswith(f"{defect}:") for each in self.words)
            self.counts[defect] += count
            if before < SHOWN:
                self.words.append(f"{defect}: {words}")

    def note_split(self, account: bytes, partitions: Sequence[int]) -> None:
        """An account with a state in each of these partitions; the first few are named."""
        if self.counts["accounts_split"] <= SHOWN:
            self.notes.append(
                f"account {account!r} has a state in partitions {', '.join(map(str, partitions))}: its key moved"
            )

    def add(self, other: "Findings") -> None:
        """Those of another partition."""
        self.counts.update(other.counts)
        self.words += other.words
        self.notes += other.notes
        self.audit_verified &= other.audit_verified
        self.group_at_end &= other.group_at_end

    @property
    def ok(self) -> bool:
        """Nothing is wrong; lag is not wrong."""
        return self.audit_verified and not any(self.counts[name] for name in DEFECTS)

    def as_json(self) -> Mapping[str, Any]:
        """All counts, zeros included."""
        counts = {name: self.counts[name] for name in (*FACTS, *DEFECTS)}
        return {
            "ok": self.ok,
            **counts,
            "audit_verified": self.audit_verified,
            "group_at_end": self.group_at_end,
            "findings": self.words,
            "notes": self.notes,
        }
