"""A model and a snapshot of risk change while a worker decides: no run is a mixture, nothing is lost, and each block says what decided it."""

import threading

import numpy as np
import pytest

from monitor.learn.dataset import replay
from monitor.learn.fit import Recipe, fit, golden_rows
from monitor.learn.sources import SimulatedSource
from monitor.money.exchange import load_exchange
from monitor.risk.book import Entities, Snapshot
from monitor.risk.figures import FIGURES
from monitor.risk.snapshots import save_snapshot
from monitor.scoring.artifact import save_model, set_current
from monitor.simulate.spec import SimulationSpec
from monitor.state.dispositions import Disposition
from monitor.wire.records import Spans
from tests.installation import decide_offline

PORTIONS, SWAPS = 12, (3, 6, 9)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory):
    """Two models with different forests over different features, `a` current."""
    directory = tmp_path_factory.mktemp("models")
    data = replay(SimulatedSource(SimulationSpec(seed=5, transactions=9_000)).slices(), load_exchange(None))
    for version, features in (("a", ("amount_ratio", "pace_ratio")), ("b", ("amount_z", "count_24h", "hour_rarity"))):
        model = fit(data, Recipe(features=features, trees=30, samples=256), version)
        save_model(directory, model, golden_rows(model, data), {}, "")
    set_current(directory, "a")
    return directory


def test_models_and_risk_change_between_runs_and_never_within_one(
    install, transactions, models_dir, tmp_path, wait_until
):
    installation = install(partitions=2, models_dir=models_dir, risk_dir=tmp_path / "risk", artifacts_check_s=0.2)
    worker = installation.start()
    worker.wait_ready()
    messages = transactions(24_000)
    portions = [
        messages[len(messages) * at // PORTIONS : len(messages) * (at + 1) // PORTIONS] for at in range(PORTIONS)
    ]
    for number, portion in enumerate(portions):
        if number in SWAPS:
            version = "b" if number % 2 else "a"
            set_current(models_dir, version)  # while what was fed before is still being decided
            feeder = threading.Thread(target=installation.produce, args=(portion,))
            feeder.start()
            wait_until(serves(worker, version), 60, worker.tail)
            feeder.join()
        else:
            installation.produce(portion)
    save_snapshot(tmp_path / "risk", _snapshot("2026-11-22"), {})
    wait_until(lambda: worker.metrics()["monitor_risk_effective_timestamp_seconds"] > 0, 60, worker.tail)
    installation.produce(transactions(500, seed=9))
    installation.wait_decided()

    references = {}
    for version in ("a", "b"):
        set_current(models_dir, version)
        references[version] = decide_offline(installation.settings, installation.sent, 1_000)
    blocks = [block for block in installation.blocks() if block.records]
    named = [block.versions["model"] for block in blocks]
    assert set(named) == {"a", "b"}
    assert {block.versions["risk"] for block in blocks} == {"", "2026-11-22"}
    compared = 0
    for block in blocks:
        scores = references[block.versions["model"]].scores
        rows = block.decisions[block.decisions["disposition"] == Disposition.SCORED]
        expected = [scores[block.partition, offset] for offset in rows["offset"].tolist()]
        assert rows["score"].tolist() == expected
        compared += len(rows)
    assert compared > 20_000
    assert installation.state() == references["a"].state, "the state does not depend on the model"
    assert worker.stop() == 0


def test_a_model_that_is_refused_leaves_the_one_before_serving_and_says_why(
    install, transactions, models_dir, tmp_path, wait_until
):
    set_current(models_dir, "a")
    installation = install(partitions=1, models_dir=models_dir, risk_dir=tmp_path / "risk", artifacts_check_s=0.2)
    worker = installation.start()
    worker.wait_ready()
    (models_dir / "current").write_text("no-such\n")
    wait_until(lambda: worker.metrics()["monitor_artifacts_refused"] == 1.0, 60, worker.tail)
    assert serves(worker, "a")()
    installation.produce(transactions(500))
    installation.wait_decided()
    assert {block.versions["model"] for block in installation.blocks()} == {"a"}
    set_current(models_dir, "b")
    wait_until(serves(worker, "b"), 60, worker.tail)
    assert worker.metrics()["monitor_artifacts_refused"] == 0.0
    assert worker.stop() == 0


def serves(worker, version):
    """A condition: the worker's metrics name this version."""
    return lambda: any(
        name.startswith("monitor_model_info{") and f'version="{version}"' in name for name in worker.metrics()
    )


def _snapshot(version):
    nobody = Entities.of(Spans.of([]), np.zeros((0, len(FIGURES)), np.int64))
    return Snapshot(version, 1_000, 1 << 60, 0, (nobody,) * 3)
