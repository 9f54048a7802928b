"""Other thresholds are another version: the same bytes but for what says so, sealed anew, and approved by nobody yet."""

import json

import numpy as np
import pytest

from monitor.errors import ArtifactError
from monitor.registry.approvals import Policy
from monitor.registry.promotion import standing
from monitor.registry.thresholds import with_thresholds
from monitor.scoring.artifact import load_model
from monitor.sealed import check_whole
from monitor.versions import seal_of
from tests.registry import models_in


def test_it_is_the_same_model_with_other_thresholds(models_dir):
    before = load_model(models_dir, "m-1")
    directory = with_thresholds(models_dir, "m-1", 0.55, 0.9, "m-1-b")
    made = load_model(models_dir, "m-1-b")
    assert check_whole(directory) == made.seal != before.seal
    assert (made.review_threshold, made.block_threshold) == (0.55, 0.9)
    rows = np.random.default_rng(2).normal(size=(50, 2)).astype(np.float32)
    assert made.judge_own(rows).scores.tobytes() == before.judge_own(rows).scores.tobytes()
    assert (directory / "forest.npz").read_bytes() == (models_dir / "m-1" / "forest.npz").read_bytes()


def test_it_says_what_it_was_made_of(models_dir):
    directory = with_thresholds(models_dir, "m-1", 0.65, None, "m-1-b")
    manifest, before = (json.loads((each / "manifest.json").read_text()) for each in (directory, models_dir / "m-1"))
    of = {"version": "m-1", "seal": seal_of(models_dir, "m-1"), "review": 0.6, "block": 0.7}
    assert manifest == before | {
        "version": "m-1-b",
        "thresholds": {"review": 0.65, "block": 0.7},
        "thresholds_of": of,
    }
    card = (directory / "card.md").read_text()
    assert card.startswith("# Model m-1-b\n\nModel m-1 with other thresholds: review from 0.650000, before 0.600000;")
    assert card.endswith("# m-1\n")


@pytest.mark.parametrize(
    ("review", "block"), [(0.0, None), (0.71, None), (0.5, 1.1), (0.6, 0.5), (float("nan"), 0.7), (0.5, float("nan"))]
)
def test_thresholds_out_of_order_are_refused_and_nothing_is_written(models_dir, review, block):
    with pytest.raises(ArtifactError, match=r"0 < review <= block <= 1; give --block"):
        with_thresholds(models_dir, "m-1", review, block, "m-1-b")
    assert not (models_dir / "m-1-b").exists()


def test_a_version_that_was_altered_or_exists_or_is_no_name_is_refused(models_dir):
    for name, why in (("m-2", "exists already"), ("../m-3", "is no version"), ("current", "is no version")):
        with pytest.raises(ArtifactError, match=why):
            with_thresholds(models_dir, "m-1", 0.5, None, name)
    card = models_dir / "m-1" / "card.md"
    card.write_text(card.read_text() + "better than it was")
    with pytest.raises(ArtifactError, match=r"card.md: SHA-256"):
        with_thresholds(models_dir, "m-1", 0.5, None, "m-3")


def test_approvals_of_the_version_before_do_not_count(models_dir, approved, policy, ann):
    approved(ann, version="m-1")
    with_thresholds(models_dir, "m-1", 0.5, None, "m-3")
    found = standing(models_in(models_dir, policy(1)), "m-3")
    assert found.signers == ()
    assert len(found.problems) == 2, "neither evaluated nor approved"
    assert standing(models_in(models_dir, Policy({}, 1)), "m-3").problems == (found.problems[0],)
