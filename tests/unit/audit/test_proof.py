"""Inclusion proofs: the published vectors, every tree up to 70 leaves, and the standalone script that needs nothing of ours."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.audit.checkpoint import FIRST, Checkpoint
from monitor.audit.proof import audit_path, root_of_path
from monitor.audit.prove import prove
from monitor.audit.report import verify
from monitor.effects import merkle
from monitor.effects.block import read_block
from monitor.errors import ProtocolError
from monitor.keys import load_private, make_key
from tests.audit_log import log_of

SCRIPT = Path(__file__).parents[3] / "examples" / "verify_proof.py"

# The leaves and hashes of the test suite of Certificate Transparency.
LEAVES = [bytes.fromhex(each) for each in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
PATHS = {  # (leaf, size): path
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def hashes(leaves):
    return [merkle.leaf_hash(leaf) for leaf in leaves]


@pytest.mark.parametrize(("where", "path"), PATHS.items())
def test_paths_are_those_of_certificate_transparency(where, path):
    index, size = where
    assert [each.hex() for each in audit_path(hashes(LEAVES[:size]), index)] == path
    root = root_of_path(merkle.leaf_hash(LEAVES[index]), index, size, [bytes.fromhex(each) for each in path])
    assert root.hex() == ROOTS[size]


def test_every_leaf_of_every_small_tree_is_proved_at_its_own_place_only():
    for size in range(1, 71):
        leaves = hashes([bytes([number]) for number in range(size)])
        for index in range(size):
            path = audit_path(leaves, index)
            places = [at for at in range(size) if root_of_path(leaves[index], at, size, path) == merkle.root(leaves)]
            assert places == [index]


@given(st.lists(st.binary(max_size=8), min_size=1, max_size=300), st.data())
def test_a_path_with_anything_changed_leads_elsewhere(leaves, data):
    leaves = hashes(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = audit_path(leaves, index)
    root = merkle.root(leaves)
    assert root_of_path(leaves[index], index, len(leaves), path) == root
    assert root_of_path(leaves[index], index, len(leaves), [*path, bytes(32)]) is None
    assert root_of_path(bytes(32), index, len(leaves), path) != root
    if path:
        place = data.draw(st.integers(0, len(path) - 1))
        changed = [*path[:place], bytes(32), *path[place + 1 :]]
        assert root_of_path(leaves[index], index, len(leaves), changed) != root
        assert root_of_path(leaves[index], index, len(leaves), path[:-1]) is None


def test_a_leaf_beyond_the_tree_has_no_path():
    with pytest.raises(IndexError, match="leaf 3 of a tree of 3"):
        audit_path(hashes(LEAVES[:3]), 3)
    assert root_of_path(bytes(32), 3, 3, []) is None


# The script, as an auditor runs it: plain Python, no site-packages, nothing of ours on the path.

LOG = [*log_of(0), *log_of(1)]


@pytest.fixture
def attested(tmp_path):
    """`(proof, path of the public key)` of a transaction that came twice, under a checkpoint some blocks later."""
    public, _ = make_key(tmp_path / "key", None)
    tips = verify([*LOG[:7], *LOG[7:]], (0, 1)).tips()
    checkpoint = Checkpoint("audit", 0, 1_790_000_000_000, FIRST, tips, {}).sign(load_private(tmp_path / "key", None))
    return prove(LOG, "t-1-3", [checkpoint]), public


def run(proof, tmp_path, *options, isolated=True):
    path = tmp_path / "proof.json"
    path.write_text(proof if isinstance(proof, str) else json.dumps(proof))
    flags = ["-I", "-S"] if isolated else ["-I"]
    return subprocess.run(
        [sys.executable, *flags, SCRIPT, path, *options], cwd=tmp_path, capture_output=True, text=True, check=False
    )


def test_a_transaction_decided_twice_has_two_proofs(attested, tmp_path):
    proof, _ = attested
    assert [each["decision"]["offset"] for each in proof["proofs"]] == [103, 128]
    assert [each["block"]["height"] for each in proof["proofs"]] == [1, 6]
    assert [len(each["chain"]) for each in proof["proofs"]] == [5, 0]


@pytest.mark.parametrize(
    "second", [log_of(1)[:5], log_of(1)[:3] + log_of(1, seed=9)[3:]], ids=["cut off", "written anew"]
)
def test_nothing_is_proved_under_a_checkpoint_that_the_log_does_not_lead_to(second):
    checkpoint = Checkpoint("audit", 0, 1, FIRST, verify(LOG, (0, 1)).tips(), {})
    with pytest.raises(ProtocolError, match="a checkpoint attests"):
        prove([*LOG[:7], *second], "t-1-3", [checkpoint])


def test_the_script_accepts_a_proof_that_leads_to_a_trusted_hash_and_says_what_is_proved(attested, tmp_path):
    done = run(attested[0], tmp_path, "--block-hash", read_block(LOG[-1].value).block_hash.hex())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "transaction t-1-3 at offset 103 of transactions[1]" in done.stdout
    assert "disposition scored, outcome approve" in done.stdout


def test_the_script_refuses_a_hash_that_is_not_where_the_proof_leads(attested, tmp_path):
    done = run(attested[0], tmp_path, "--block-hash", read_block(LOG[3].value).block_hash.hex())
    assert (done.returncode, done.stdout.splitlines()[-1][:8]) == (1, "REFUSED:")


def test_the_script_checks_signatures_where_it_can_and_says_so_where_it_cannot(attested, tmp_path):
    proof, public = attested
    done = run(proof, tmp_path, "--public-key", public, isolated=False)
    assert (done.returncode, done.stdout.count("attested by checkpoint 0, 1 signature(s)")) == (0, 2), done.stdout
    without = run(proof, tmp_path, "--public-key", public)
    assert without.returncode == 2
    assert "not checked: signatures need the package" in without.stdout
    other, _ = make_key(tmp_path / "other", None)
    assert run(proof, tmp_path, "--public-key", other, isolated=False).returncode == 1
    assert run(proof, tmp_path, "--public-key", public, "--signatures", "2", isolated=False).returncode == 1


def hex_places(value, path=()):
    """Paths of all the texts in a proof."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from hex_places(each, (*path, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from hex_places(each, (*path, number))
    else:
        yield path


def test_the_script_refuses_any_value_of_a_proof_that_was_changed(attested, tmp_path):
    """In one process, for there are many: the script's own functions."""
    script: dict = {"__name__": "script"}
    exec(compile(SCRIPT.read_text(), SCRIPT, "exec"), script)
    proof, public = attested
    text = json.dumps(proof["proofs"][0])

    def accepted(changed):
        try:
            _, last, identities = script["check"](changed)
            script["check_checkpoint"](changed["checkpoint"], last, identities, [public], 1)
        except (ValueError, KeyError, IndexError, TypeError):
            return False
        return True

    assert accepted(json.loads(text))
    places = list(hex_places(json.loads(text)))
    assert len(places) > 40
    for place in places:
        changed = json.loads(text)
        inner = changed
        for step in place[:-1]:
            inner = inner[step]
        old = inner[place[-1]]
        if isinstance(old, str):
            middle = len(old) // 2
            inner[place[-1]] = old[:middle] + ("0" if old[middle : middle + 1] != "0" else "1") + old[middle + 1 :]
        else:
            inner[place[-1]] = (old or 0) + 1
        assert not accepted(changed), place
