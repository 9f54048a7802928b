"""The metrics of rules: which version is served, and how often each held, or could not say."""

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client import Counter

from monitor.observe.declaration import Declaration


class RuleFigures(NamedTuple):
    """Of one rule over a run: in how many transactions it held, was not applicable, or found too little history."""

    rule_id: str
    shadow: bool
    held: int
    not_applicable: int
    insufficient_history: int


class RuleMetrics:
    """Part of the catalogue (`monitor/observe/metrics.py`). As many values of `rule` as the rules served have; those of rules that left are dropped."""

    def __init__(self, declare: Declaration) -> None:
        self._rules = declare.info("monitor_rules_info", "The version of the rules being served.", "version")
        self._held = declare.counter("monitor_rule_hits_total", "Transactions for which an active rule held.", "rule")
        self._shadow = declare.counter(
            "monitor_rule_shadow_hits_total", "Transactions for which a shadow rule held; it does nothing.", "rule"
        )
        self._not_applicable = declare.counter(
            "monitor_rule_not_applicable_total",
            "Transactions that lack something the rule looks at, so that it says neither yes nor no.",
            "rule",
        )
        self._short = declare.counter(
            "monitor_rule_insufficient_history_total",
            "Transactions of accounts with fewer payments than the rule asks for.",
            "rule",
        )
        self._known: set[str] = set()

    def set_rules(self, version: str, rule_ids: Iterable[str]) -> None:
        """Name the version being served, and its rules."""
        self._rules.info({"version": version})
        now = set(rule_ids)
        for counter in self._counters():
            for gone in self._known - now:
                counter.remove(gone)
            for new in now - self._known:
                counter.labels(new)
        self._known = now

    def record(self, figures: Iterable[RuleFigures]) -> None:
        """Count a run."""
        for each in figures:
            if each.rule_id not in self._known:  # a run of the version before
                continue
            counts = (
                (self._shadow if each.shadow else self._held, each.held),
                (self._not_applicable, each.not_applicable),
                (self._short, each.insufficient_history),
            )
            for counter, count in counts:
                if count:
                    counter.labels(each.rule_id).inc(count)

    def _counters(self) -> tuple[Counter, ...]:
        return self._held, self._shadow, self._not_applicable, self._short
