"""The catalogue as a contract: names, sentences, digests."""

import string
from dataclasses import replace

import pytest

from monitor.features import catalogue
from monitor.features.catalogue import CATALOGUE, INDEX, feature_set_digest


def fields_of(sentence):
    return {field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None}


def test_names_are_distinct_and_stand_at_their_column():
    assert len(INDEX) == len(CATALOGUE) >= 24
    assert [CATALOGUE[column].name for column in INDEX.values()] == list(INDEX)


@pytest.mark.parametrize("feature", CATALOGUE, ids=lambda feature: feature.name)
def test_a_sentence_can_be_filled_in(feature):
    assert fields_of(feature.sentence) <= {"value", "baseline"}
    assert ("baseline" in fields_of(feature.sentence)) == (feature.baseline is not None)
    assert feature.sentence.format(value="1", baseline="2")


@pytest.mark.parametrize("feature", [f for f in CATALOGUE if f.baseline], ids=lambda feature: feature.name)
def test_a_baseline_is_a_feature(feature):
    assert feature.baseline in INDEX


@pytest.mark.parametrize("feature", CATALOGUE, ids=lambda feature: feature.name)
def test_every_feature_has_a_unit_and_a_meaning(feature):
    assert feature.unit
    assert feature.meaning.endswith(".")


def test_the_digest_depends_on_order_and_meaning_and_not_on_sentences(monkeypatch):
    names = ("amount_z", "pace_ratio")
    digest = feature_set_digest(names)
    assert len(digest) == 12
    assert feature_set_digest(names[::-1]) != digest

    def change(**to):
        column = INDEX["amount_z"]
        changed = (*CATALOGUE[:column], replace(CATALOGUE[column], **to), *CATALOGUE[column + 1 :])
        monkeypatch.setattr(catalogue, "CATALOGUE", changed)
        return feature_set_digest(names)

    assert change(sentence="{value}") == digest
    assert change(meaning="Something else.") != digest
