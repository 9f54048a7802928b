"""The warm-up decides on state of its own, and leaves no trace but compiled kernels."""

import subprocess
import sys
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


RUNS_AFTER_WARM_UP = """
import sys
from dataclasses import replace
import numpy as np
from numba.core.dispatcher import Dispatcher
from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.pipeline import decide_run
from monitor.settings import load_settings
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.rails.watch import RailWatch
from monitor.warm_up import warm_up
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from monitor.wire.batches import batches, found
from monitor.wire.records import Record, Records, Run

def compiled():
    for name, module in list(sys.modules.items()):
        if name.startswith("monitor."):
            for kernel in vars(module).values():
                if isinstance(kernel, Dispatcher):
                    yield from ((kernel.py_func.__qualname__, str(signature)) for signature in kernel.signatures)

spec = SimulationSpec(seed=1, transactions=2500, accounts=50)
sent = [each for batch in generate(spec) for m in [transaction_messages(batch, 1)] for each in zip(m.keys, m.values)]
sent[3:3] = [(None, b"junk"), (b"a", None), sent[0]]
log = Records.of([Record(offset, key, value) for offset, (key, value) in enumerate(sent)])
context = DecidingContext(load_settings(environ={}), ManualClock(spec.end_ms)).for_records(log)
context = replace(context, model=replace(context.model, review_threshold=0.45))
_, position = genesis_block(
    app_id="a", topic="t", topic_id="i", partition=0, start=0, alerts_from_offset=0, versions={}, schema_id=1
)
warm_up(context)
watch = RailWatch()
before, accounts, alerts, first = set(compiled()), Accounts(), 0, 0
fetched = DefaultRecordBatchBuilder(2, 3, 0, -1, -1, -1, 1 << 24)
for offset, (key, value) in enumerate(sent):
    fetched.append(offset, offset, key, value, [("trace", b"id")])
(batch,) = batches(bytes(fetched.build()))
fetch, _ = found([batch], [batch.records()], 0)
for turn, size in enumerate((1, 2, 7, 50, 50, 50, 1000, 1000)):
    part = (fetch if turn % 2 else log)[first : first + size]
    if turn > 3:
        part = Records.join([part[:20], part[20:]])
    run = Run("t", 0, position.last_offset, part)
    decided = decide_run(run, accounts, position, context, spec.end_ms)
    watch.record(run, decided.columns, decided.reasons, float(turn))
    position, first, alerts = decided.position, first + size, alerts + len(decided.alert_outcomes)
assert alerts > 20, alerts
Accounts().load_many(list(accounts), accounts.values(np.arange(len(accounts))))  # as a takeover does
print(sorted(set(compiled()) - before))
"""


def test_no_kernel_is_compiled_after_it():
    """In a process of its own: what other tests compiled is there already. A run that waits for a compiler is late by half a second."""
    done = subprocess.run([sys.executable, "-c", RUNS_AFTER_WARM_UP], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
