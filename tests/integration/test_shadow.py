"""A candidate on live traffic: its topic tells what it thought, and the champion's decisions are those it would have made alone."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from monitor.commands.shadow import blocks
from monitor.learn.labels import Verdicts
from monitor.learn.shadow_report import shadow_report
from monitor.resources import shipped
from monitor.scoring.artifact import load_model, save_model
from monitor.versions import set_pointer


@pytest.fixture
def models_dir(tmp_path):
    """The shipped model, and as its candidate the same with thresholds for ten times the alerts."""
    directory = tmp_path / "models"
    shutil.copytree(shipped("models"), directory)
    model = load_model(directory)
    review = model.review_threshold - 0.05
    save_model(
        directory,
        replace(model, version="eager", review_threshold=review),
        np.zeros((1, len(model.features)), np.float32),
        {},
        "",
    )
    return directory


def test_a_candidate_is_recorded_beside_the_champion_and_changes_nothing(install, transactions, models_dir, wait_until):
    installation = install(partitions=2, models_dir=models_dir, artifacts_check_s=0.2)
    worker = installation.start()
    worker.wait_ready()
    installation.produce(transactions(3_000))
    installation.wait_decided()
    assert installation.read(installation.settings.topic_shadow) == []
    set_pointer(models_dir, "candidate", "eager")
    wait_until(lambda: "eager" in worker.log.read_text(), 60, worker.tail)
    installation.produce(transactions(6_000, seed=2))
    installation.wait_decided()

    def recorded():
        return worker.metrics()['monitor_shadow_records_total{result="recorded"}']

    wait_until(lambda: recorded() == 6_000, 60, worker.tail)
    assert worker.metrics()['monitor_sideline_cpu_seconds_total{watcher="candidate"}'] > 0
    assert worker.stop() == 0

    found = shadow_report(blocks(installation.settings), "eager", Verdicts({}))
    reference = installation.reference()
    ours, theirs = found.alerts()
    assert theirs > ours > 0
    assert found.agreement[1:, 0].sum() == 0, "what the champion alerts, the eager one alerts as well"
    assert found.repeated == 0
    alerts = {
        (block.partition, int(offset))
        for block in blocks(installation.settings)
        for offset in block.offsets[block.champion_outcomes > 0]
    }
    assert alerts <= reference.alerts
    assert installation.state() == reference.state


def test_a_candidate_that_cannot_be_loaded_is_refused_and_nothing_else_happens(
    install, transactions, models_dir, wait_until
):
    (models_dir / "candidate").write_text("no-such\n")
    installation = install(partitions=1, models_dir=models_dir, artifacts_check_s=0.2)
    worker = installation.start()
    worker.wait_ready()
    assert worker.metrics()["monitor_artifacts_refused"] == 1.0
    installation.produce(transactions(500))
    installation.wait_decided()
    assert installation.read(installation.settings.topic_shadow) == []
    assert worker.stop() == 0
