"""Versions of rules never change, and none is published or promoted whose tests fail."""

import pytest

from monitor.errors import ArtifactError, RulesError
from monitor.registry.approvals import Policy
from monitor.registry.promotion import Registry, promote, rollback
from monitor.rules.stored import RULES, TESTS, load_rules, load_tested, publish, read_file
from monitor.versions import current_version
from tests.unit.rules.test_rule_file import GOOD

CASE = '[[case]]\nrule = "watched_merchant"\nname = "ours"\ngiven = {merchant_id = "m-1"}\nexpect = "watched"\n'


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    return path


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "rules", Policy({}, 1), load_tested, evaluated=False, command="rules")


def test_what_is_published_is_what_is_loaded(file, registry):
    (file.parent / "mine.test.toml").write_text(CASE)
    made = publish(registry.directory, file)
    assert sorted(path.name for path in (registry.directory / "2026-11-22").iterdir()) == ["SHA256SUMS", TESTS, RULES]
    loaded = load_tested(registry.directory, "2026-11-22")
    assert (loaded.rules, len(loaded.seal)) == (made.rules, 64)
    with pytest.raises(ArtifactError, match="a version never changes"):
        publish(registry.directory, file)


def test_rules_whose_tests_fail_are_not_published(file, registry):
    (file.parent / "mine.test.toml").write_text(CASE.replace("m-1", "m-9"))
    with pytest.raises(RulesError, match="watched_merchant: ours: expected watched, found not_held"):
        publish(registry.directory, file)
    assert not registry.directory.exists()


def test_rules_go_into_force_and_back_as_models_do(file, registry):
    publish(registry.directory, file)
    file.write_text(GOOD.replace("2026-11-22", "2026-11-23"))
    publish(registry.directory, file)
    for version in ("2026-11-22", "2026-11-23"):
        promote(registry, version, "Ann", "agreed", 1)
    assert load_rules(registry.directory).version == "2026-11-23"
    assert rollback(registry, "Ben", "noise", 2).version == "2026-11-22" == current_version(registry.directory)


def test_a_byte_that_was_changed_keeps_them_out_of_force(file, registry):
    publish(registry.directory, file)
    path = registry.directory / "2026-11-22" / RULES
    path.write_text(GOOD.replace("at_least = 5", "at_least = 500"))
    with pytest.raises(ArtifactError, match="SHA-256"):
        load_rules(registry.directory, "2026-11-22")
    with pytest.raises(ArtifactError, match="is not promoted"):
        promote(registry, "2026-11-22", "Ann", "agreed", 1)


def test_a_version_in_another_ones_directory_is_refused(file, registry):
    publish(registry.directory, file)
    (registry.directory / "2026-11-22").rename(registry.directory / "other")
    with pytest.raises(ArtifactError, match="in the directory 'other'; rename it"):
        load_rules(registry.directory, "other")


def test_what_is_no_text_is_refused(file, registry):
    file.write_bytes(b'version = "\xff"')
    with pytest.raises(RulesError, match="byte 11 is not UTF-8"):
        publish(registry.directory, file)
    with pytest.raises(RulesError, match="name a file of rules"):
        read_file(file.parent / "missing.toml")
