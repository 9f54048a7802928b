import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.errors import ArtifactError, SettingsError
from monitor.keys import key_id, make_key
from monitor.registry.approvals import Policy
from monitor.versions import seal_of


def test_enough_different_signers_approve_a_version(models_dir, approved, policy, ann, ben):
    seal = seal_of(models_dir, "m-2")
    approved(ann)
    assert [each.who for each in policy(1).check(models_dir, "m-2", seal)] == ["Ann"]
    with pytest.raises(ArtifactError, match="1 valid approvals of the 2 needed"):
        policy(2).check(models_dir, "m-2", seal)
    approved(ben, who="Ben")
    assert sorted(each.who for each in policy(2).check(models_dir, "m-2", seal)) == ["Ann", "Ben"]


def test_one_person_signing_twice_is_one_signer(models_dir, approved, policy, ann):
    approved(ann)
    approved(ann, who="Ann again")
    with pytest.raises(ArtifactError, match="1 valid"):
        policy(2).check(models_dir, "m-2", seal_of(models_dir, "m-2"))


def test_a_copy_of_ones_approval_under_anothers_name_does_not_count(models_dir, approved, policy, ann, ben):
    path = approved(ann)
    path.with_name(f"{key_id(ben.public_key())}.json").write_bytes(path.read_bytes())
    with pytest.raises(ArtifactError, match="1 valid"):
        policy(2).check(models_dir, "m-2", seal_of(models_dir, "m-2"))


def test_a_strangers_approval_does_not_count(models_dir, approved, policy):
    approved(Ed25519PrivateKey.generate())
    with pytest.raises(ArtifactError, match="0 valid"):
        policy(1).check(models_dir, "m-2", seal_of(models_dir, "m-2"))


def test_an_approval_is_of_one_version_and_of_its_bytes(models_dir, approved, policy, ann):
    approved(ann, seal="0" * 64)
    with pytest.raises(ArtifactError, match="0 valid"):
        policy(1).check(models_dir, "m-2", seal_of(models_dir, "m-2"))
    path = approved(ann)
    other = models_dir / "approvals/m-1" / path.name
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    with pytest.raises(ArtifactError, match="0 valid"):
        policy(1).check(models_dir, "m-1", seal_of(models_dir, "m-1"))


@pytest.mark.parametrize("field", ["version", "seal", "evaluation", "who", "why", "time_ms"])
def test_an_approval_that_was_changed_does_not_count(models_dir, approved, policy, ann, field):
    path = approved(ann)
    entry = json.loads(path.read_text())
    entry["approval"][field] = 7 if field == "time_ms" else "f" * 64
    path.write_text(json.dumps(entry))
    with pytest.raises(ArtifactError, match="0 valid"):
        policy(1).check(models_dir, "m-2", seal_of(models_dir, "m-2"))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"approval": {}, "signature": "zz"}', b"\xff"])
def test_what_is_no_approval_counts_for_nothing(models_dir, approved, policy, ann, content):
    approved(ann).write_bytes(content)
    with pytest.raises(ArtifactError, match="0 valid"):
        policy(1).check(models_dir, "m-2", seal_of(models_dir, "m-2"))


def test_without_signers_nobody_is_asked(models_dir):
    assert Policy({}, 1).check(models_dir, "m-2", seal_of(models_dir, "m-2")) == []


def test_a_policy_wants_no_more_approvals_than_there_are_signers(tmp_path):
    public, _ = make_key(tmp_path / "ann", None)
    assert Policy.of([public], 1).needed == 1
    with pytest.raises(SettingsError, match="model_approvals 2: with 1 different keys"):
        Policy.of([public, public], 2)
