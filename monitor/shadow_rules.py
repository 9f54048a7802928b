"""What rules in shadow would have done: after the commit, on the sideline, into a topic of its own (schemas/rule-hits-block.avsc)."""

import numpy as np

from monitor.decide.policy import OUTCOMES
from monitor.rules.ruleset import RuleSet, State
from monitor.sideline import Aside, Watched
from monitor.wire.columns import ACCOUNT_ID, TRANSACTION_ID
from monitor.wire.our_records import write_record

SCHEMA = "rule-hits-block.avsc"


class ShadowRules:
    """Follows the rules in force; without one in shadow it does not look."""

    name = "shadow_rules"

    def __init__(self, topic: str, schema_id: int) -> None:
        self._topic, self._schema_id = topic, schema_id
        self.rules: RuleSet | None = None

    @property
    def looks(self) -> bool:
        """Whether any rule is in shadow."""
        return self.rules is not None and any(rule.state is State.SHADOW for rule in self.rules.rules)

    def see(self, watched: Watched) -> Aside | None:
        """The transactions of a run for which some held; None without any."""
        decided, engine, records = watched.decided, watched.context.rules, watched.run.records
        if engine is None:
            return None
        hits, rules, columns = decided.settled.ruled.hits, engine.ruleset.rules, decided.columns
        shadow = np.array([rule.state is State.SHADOW for rule in rules], np.bool_)
        found = []
        for at in np.flatnonzero(shadow[hits.rules]).tolist():
            row, rule, value = int(hits.rows[at]), rules[int(hits.rules[at])], float(hits.values[at])
            band = rule.bands[int(hits.bands[at])]
            found.append(
                {
                    "offset": int(records.offsets[row]),
                    "transaction_id": columns.text(TRANSACTION_ID, row) or "",
                    "account_id": columns.text(ACCOUNT_ID, row) or "",
                    "event_time": int(decided.event_times_ms[row]),
                    "rule_id": rule.rule_id,
                    "rule_version": str(rule.version),
                    "reason_code": band.reason_code,
                    "action": band.action,
                    "value": None if np.isnan(value) else value,
                    "outcome": OUTCOMES[int(decided.outcomes[row])],
                }
            )
        if not found:
            return None
        block = {
            "rules": engine.ruleset.version,
            "topic": watched.run.topic,
            "topic_id": watched.topic_id,
            "partition": watched.run.partition,
            "first_offset": records.first_offset,
            "last_offset": records.last_offset,
            "hits": found,
        }
        return Aside(self._topic, str(watched.run.partition).encode(), write_record(SCHEMA, block, self._schema_id))
