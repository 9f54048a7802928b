"""Simulated transactions of one partition, good and spoilt, decided by the pipeline in runs of any size: for tests of what it decides."""

import io
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import fastavro
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.alerts import alert_schema
from monitor.effects.audit import genesis_block
from monitor.effects.block import read_block
from monitor.features.catalogue import INDEX
from monitor.pipeline import decide_run
from monitor.rules.rule_file import read_rules
from monitor.rules.ruleset import Engine
from monitor.scoring.forest import Forest
from monitor.scoring.model import Model, Part, feature_set_of
from monitor.settings import load_settings
from monitor.simulate.messages import corrupter, transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition
from monitor.wire.framing import HEADER_BYTES
from monitor.wire.hashing import hash_bytes
from monitor.wire.records import Record, Records, Run, Spans

SPEC = SimulationSpec(seed=23, transactions=1_200, accounts=25, duplicates=0.03, late=0.03, corrupt=0.05)
SPEC_SPAN_MS = SPEC.end_ms - SPEC.start_ms
PARTITION = 3
FEATURES = ("amount_z", "count_1h", "pace_ratio")


def begin(alerts_from: int = 0):
    return genesis_block(
        app_id="fraud-monitor", topic="transactions", topic_id="topic-id", partition=PARTITION, start=0,
        alerts_from_offset=alerts_from, versions={}, schema_id=1,
    )[1]  # fmt: skip


@pytest.fixture(name="records", scope="session")
def _records():
    """Transactions in one partition, with fraud, retries, late and corrupt ones among them; offsets are places in the list."""
    spoil, made = corrupter(SPEC.seed, SPEC.corrupt), []
    for batch in generate(SPEC):
        messages = spoil(batch, transaction_messages(batch, 1))
        made += zip(messages.keys, messages.values, strict=True)
    return [Record(offset, key, value, timestamp=offset) for offset, (key, value) in enumerate(made)]


@pytest.fixture(name="unscored", scope="session")
def _unscored(records):
    """The context without a model."""
    deciding = DecidingContext(load_settings(environ={}), ManualClock(SPEC.end_ms))
    return replace(deciding.for_records(Records.of(records)), model=None)


@pytest.fixture(name="context", scope="session")
def _context(records, unscored):
    """With a small forest, fitted to what it will see; about one in thirty alerts."""
    decided = decide_run(
        Run("transactions", PARTITION, -1, Records.of(records)), Accounts(), begin(), unscored, SPEC.end_ms
    )
    chosen = decided.features[decided.dispositions == Disposition.SCORED][:, [INDEX[name] for name in FEATURES]]
    fitted = IsolationForest(n_estimators=20, max_samples=64, random_state=1).fit(chosen.astype(np.float32))
    forest = Forest.from_sklearn(fitted)
    review, block = np.quantile(forest.score(chosen.astype(np.float32)), [0.97, 0.995])
    quartiles = np.quantile(chosen, [0.25, 0.75], axis=0)
    part = Part("forest", forest, FEATURES, quartiles)
    model = Model("small", (part,), float(review), float(block), feature_set_of("small", FEATURES))
    return replace(unscored, model=model, cooldown_ms=0)


class Pass:
    """Records decided in runs of the given sizes, in turn, and everything the runs left behind."""

    def __init__(self, records, context, sizes, position=None):
        self.names, self.accounts, self.runs, self.messages = context.names, Accounts(), [], []
        position, at, turns = position or begin(), 0, cycle(sizes)
        self.begins = position
        while at < len(records):
            chosen = records[at : at + next(turns)]
            run = Run("transactions", PARTITION, position.last_offset, Records.of(chosen))
            decided = decide_run(run, self.accounts, position, context, SPEC.end_ms)
            self.runs.append((run, decided))
            self.messages += decided.messages
            position, at = decided.position, at + len(chosen)
        self.position = position

    def of(self, topic):
        return [message for message in self.messages if message.topic == topic]

    @property
    def blocks(self):
        return [read_block(message.value) for message in self.of(self.names.audit)]

    @property
    def decisions(self):
        return np.concatenate([block.decisions for block in self.blocks])

    @property
    def alerts(self):
        return self.alerts_of(self.names.alerts)

    def alerts_of(self, topic):
        values = (message.value[HEADER_BYTES:] for message in self.of(topic))
        return [fastavro.schemaless_reader(io.BytesIO(value), alert_schema(), None) for value in values]

    @property
    def state(self):
        keys = list(self.accounts)
        return dict(
            zip(keys, self.accounts.values(self.accounts.slots(Spans.of(keys), np.ones(len(keys), bool))), strict=True)
        )


def ruled_by(context, text):
    """The context with the rules of a file of this text."""
    rules = read_rules(text, Path("rules.toml"), "ab" * 32)
    return replace(context, rules=Engine(rules, lambda word: hash_bytes(word.encode(), context.hash_key)))


@pytest.fixture(name="whole", scope="session")
def _whole(records, context):
    """Everything in one run."""
    return Pass(records, context, [len(records)])
