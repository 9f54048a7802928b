"""Decide one made-up transaction, on state of its own, so that every kernel is compiled before a real one waits for it."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace

import fastavro
import numpy as np

from monitor.context import Context
from monitor.effects.audit import genesis_block
from monitor.features.catalogue import ACCOUNT_FEATURES, RISK_KINDS
from monitor.pipeline import decide_run
from monitor.risk.book import Book, Entities, Snapshot, with_risk
from monitor.risk.figures import FIGURES
from monitor.state import key_index
from monitor.state.accounts import Accounts
from monitor.wire import batches
from monitor.wire.decode import Reader, compile_reader
from monitor.wire.framing import frame
from monitor.wire.reader import transaction_schema
from monitor.wire.records import Record, Records, Run, Spans

SCHEMA_ID = 1
NOW_MS = 1_767_571_200_000


def warm_up(context: Context) -> None:
    """Some twenty seconds on a machine that never ran this version, about a second from numba's cache after that."""
    readers: Mapping[int, Reader] = {SCHEMA_ID: compile_reader(transaction_schema())}
    _, position = genesis_block(
        app_id="warm-up",
        topic="warm-up",
        topic_id="warm-up",
        partition=0,
        start=0,
        alerts_from_offset=0,
        versions={},
        schema_id=SCHEMA_ID,
    )
    batches.warm_up()
    key_index.warm_up()
    records = Records.of([Record(0, b"account", _transaction()), Record(1, None, b"")])
    run = Run("warm-up", 0, -1, records)
    accounts = Accounts()
    # Whatever it scores is an alert.
    model = context.model and replace(context.model, review_threshold=0.0)
    decided = decide_run(run, accounts, position, replace(context, readers=readers, model=model), NOW_MS)
    with_risk(decided.features[:, : len(ACCOUNT_FEATURES)], decided.columns, range(len(RISK_KINDS)), _book())
    Accounts().load_many(list(accounts), accounts.values(np.arange(len(accounts))))


def _book() -> Book:
    """One merchant, one device, one place."""
    one = (
        Entities.of(Spans.of([name]), np.zeros((1, len(FIGURES)), np.int64)) for name in (b"merchant", b"x", b"DE/5411")
    )
    return Book.of([Snapshot("warm-up", 0, NOW_MS + 1, 0, tuple(one))])


def _transaction() -> bytes:
    out = io.BytesIO()
    record = {
        "transaction_id": "warm-up",
        "account_id": "account",
        "event_time": NOW_MS,
        "amount_minor": 1,
        "currency": "EUR",
        "direction": "debit",
        "channel": "card",
        "merchant_id": "merchant",
        "country": "DE",
    }
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(transaction_schema())), record)
    return frame(SCHEMA_ID, out.getvalue())
