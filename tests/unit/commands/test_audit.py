"""`monitor audit` on exports: exit codes, what is said, and that nothing is trusted that was not named."""

import json

import pytest

from monitor.audit.checkpoint import FIRST, Checkpoint
from monitor.audit.export import write_export
from monitor.audit.ledger import FileLedger
from monitor.audit.report import verify
from monitor.cli import _exit_code
from monitor.keys import load_private, make_key
from tests.audit_log import log_of

LOG = [*log_of(0), *log_of(1)]


@pytest.fixture
def export(tmp_path):
    def write(blocks=LOG, partitions=(0, 1)):
        write_export(tmp_path / "audit.avro", "audit", partitions, blocks)
        return str(tmp_path / "audit.avro")

    return write


@pytest.fixture
def trust(tmp_path):
    """Options that trust a checkpoint over all of LOG."""
    make_key(tmp_path / "key", None)
    made = Checkpoint("audit", 0, 1, FIRST, verify(LOG, (0, 1)).tips(), {}).sign(load_private(tmp_path / "key", None))
    FileLedger(tmp_path / "checkpoints").append(made.line())
    return ["--checkpoint", str(tmp_path / "checkpoints"), "--public-key", str(tmp_path / "key.pub")]


def test_a_good_export_is_good_with_and_without_a_checkpoint(export, trust, capsys):
    assert _exit_code(["audit", "verify", "--from", export()]) == 0
    out, err = capsys.readouterr()
    assert "partition 1: good: 7 blocks, 30 decisions, to offset 129" in out
    assert "would not be seen" in err
    assert "blocks (" in err
    assert _exit_code(["audit", "verify", "--from", export(), *trust]) == 0
    assert "1 of them attested" in capsys.readouterr().out


def test_what_is_found_is_said_and_leaves_with_1(export, trust, capsys):
    cut = export(LOG[:5] + LOG[7:])
    assert _exit_code(["audit", "verify", "--from", cut]) == 0
    capsys.readouterr()
    assert _exit_code(["audit", "verify", "--from", cut, *trust]) == 1
    assert "partition 0: truncated: ends at block 4" in capsys.readouterr().out
    assert _exit_code(["audit", "verify", "--from", cut, *trust, "--partition", "1"]) == 0
    capsys.readouterr()
    assert _exit_code(["audit", "verify", "--from", cut, *trust, "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [each["finding"] and each["finding"]["kind"] for each in report["partitions"]] == ["truncated", None]


def test_a_damaged_export_or_checkpoint_is_found_as_well(export, trust, tmp_path, capsys):
    path = export()
    (tmp_path / "checkpoints").write_bytes(
        (tmp_path / "checkpoints").read_bytes().replace(b'"height":6', b'"height":5')
    )
    assert _exit_code(["audit", "verify", "--from", path, *trust]) == 1
    assert "0 valid signatures" in capsys.readouterr().out
    (tmp_path / "audit.avro").write_bytes(b"nothing")
    assert _exit_code(["audit", "verify", "--from", path, "--json"]) == 1
    assert "no Avro container" in json.loads(capsys.readouterr().out)["damage"]


def test_a_checkpoint_without_keys_is_not_trusted(export, trust, capsys):
    assert _exit_code(["audit", "verify", "--from", export(), *trust[:2]]) == 78
    assert "who signs must be named" in capsys.readouterr().err
    assert _exit_code(["audit", "verify", "--from", export(), *trust, *trust[2:], "--signatures", "2"]) == 78


def test_an_unknown_transaction_leaves_with_1_and_a_known_one_is_proved(export, trust, tmp_path, capsys):
    assert _exit_code(["audit", "prove", "--from", export(), "--transaction", "t-0-99"]) == 1
    capsys.readouterr()
    out = tmp_path / "proof.json"
    assert _exit_code(["audit", "prove", "--from", export(), "--transaction", "t-0-9", "--out", str(out), *trust]) == 0
    assert "attested by checkpoint 0" in capsys.readouterr().err
    assert len(json.loads(out.read_text())["proofs"]) == 1


def test_a_key_is_made_with_and_without_a_passphrase(tmp_path, capsys, monkeypatch):
    assert _exit_code(["audit", "keygen", "--to", str(tmp_path / "a")]) == 0
    assert "not encrypted, mode 0600" in capsys.readouterr().out
    monkeypatch.setenv("AUDIT_KEY_PASSPHRASE", "correct horse")
    assert _exit_code(["audit", "keygen", "--to", str(tmp_path / "b")]) == 0
    assert b"ENCRYPTED" in (tmp_path / "b").read_bytes()
    (tmp_path / "passphrase").write_text("battery staple\n")
    assert (
        _exit_code(["audit", "keygen", "--to", str(tmp_path / "c"), "--passphrase-file", str(tmp_path / "passphrase")])
        == 0
    )
    load_private(tmp_path / "c", b"battery staple")
    assert _exit_code(["audit", "keygen", "--to", str(tmp_path / "c")]) == 78
