"""Equal bytes on every processor: state, features, scores, alerts and audit do not depend on what the machine can do.

An older processor is had by telling numba, numpy and libm, each in its own way, to use less of this one.
"""

import os
import subprocess
import sys

import pytest
from llvmlite.binding import get_host_cpu_features
from numpy._core._multiarray_umath import __cpu_dispatch__  # numpy has no public name for what it can be told to leave

DECIDE = """
from dataclasses import replace
from hashlib import sha256
import numpy as np
from monitor.clock import ManualClock
from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.pipeline import decide_run
from monitor.settings import load_settings
from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.state.accounts import Accounts
from monitor.wire.records import Record, Records, Run

spec = SimulationSpec(seed=4, transactions=20_000, accounts=300)
sent = [each for batch in generate(spec) for m in [transaction_messages(batch, 1)] for each in zip(m.keys, m.values)]
log = Records.of([Record(offset, key, value) for offset, (key, value) in enumerate(sent)])
context = DecidingContext(load_settings(environ={}), ManualClock(spec.end_ms)).for_records(log)
context = replace(context, model=replace(context.model, review_threshold=0.5))
_, position = genesis_block(
    app_id="a", topic="t", topic_id="i", partition=0, start=0, alerts_from_offset=0, versions={}, schema_id=1
)
accounts, seen, alerts, first = Accounts(), {name: sha256() for name in ("features", "scores", "messages", "state")}, 0, 0
for size in (1, 2, 7, *[1000] * 20):
    run = Run("t", 0, position.last_offset, log[first : first + size])
    decided = decide_run(run, accounts, position, context, spec.end_ms)
    position, first, alerts = decided.position, first + size, alerts + len(decided.alert_outcomes)
    seen["features"].update(decided.features.tobytes())
    seen["scores"].update(decided.scores.tobytes())
    for message in decided.messages:
        seen["messages"].update(message.value or b"")
for value in accounts.values(np.arange(len(accounts))):
    seen["state"].update(value)
assert alerts > 500, alerts
print({name: each.hexdigest() for name, each in seen.items()})
"""

LESS_OF_LIBM = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-AVX,-FMA,-FMA4"}
LESS_OF_NUMPY = {"NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__)}
OTHERS = {
    "any processor of this kind": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
    "one with fused multiply-add": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"},
}


def decide(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DECIDE],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def here() -> str:
    return decide()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", OTHERS)
def test_another_processor_decides_the_same_to_the_last_bit(here, kind):
    wanted = [each.removeprefix("+") for each in OTHERS[kind]["NUMBA_CPU_FEATURES"].split(",") if each]
    if not all(get_host_cpu_features().get(each) for each in wanted):
        pytest.skip(f"this processor has not {wanted}")
    assert decide(**OTHERS[kind], **LESS_OF_LIBM, **LESS_OF_NUMPY) == here
