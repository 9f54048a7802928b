"""The warm-up decides on state of its own, and leaves no trace but compiled kernels."""

from dataclasses import replace

import pytest

from monitor import warm_up as module
from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.pipeline import decide_run
from monitor.settings import load_settings
from monitor.state.accounts import Accounts
from monitor.state.dispositions import Disposition
from monitor.warm_up import warm_up
from monitor.wire.decode import compile_reader
from monitor.wire.reader import transaction_schema
from monitor.wire.records import Record, Records, Run


@pytest.fixture(scope="module")
def context():
    return DecidingContext(load_settings(environ={}), ManualClock()).context


def test_it_goes_with_a_model_and_without_and_changes_nothing(context):
    for each in (context, replace(context, model=None)):
        before = {name: getattr(each, name) for name in each.__slots__}
        warm_up(each)
        assert {name: getattr(each, name) for name in each.__slots__} == before


def test_its_transaction_goes_all_the_way_and_its_second_record_does_not(context):
    """Else the kernels behind admission would stay cold."""
    _, position = genesis_block(
        app_id="a", topic="t", topic_id="i", partition=0, start=0, alerts_from_offset=0, versions={}, schema_id=1
    )
    records = [Record(0, b"account", module._transaction()), Record(1, None, b"")]
    ready = replace(context, readers={module.SCHEMA_ID: compile_reader(transaction_schema())})
    decided = decide_run(Run("t", 0, -1, Records.of(records)), Accounts(), position, ready, module.NOW_MS)
    assert decided.dispositions.tolist() == [Disposition.SCORED, Disposition.REJECTED]
