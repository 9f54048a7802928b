"""Checkpoints: one form, chained, signed by as many as must; and what was altered, left out or taken back is refused."""

import json
import stat
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.audit.checkpoint import FIRST, Checkpoint, anchors_of, parse_line, read_chain
from monitor.audit.ledger import FileLedger
from monitor.audit.report import verify
from monitor.errors import ProtocolError, SettingsError
from monitor.keys import load_private, load_public, make_key
from tests.audit_log import log_of

LOG = log_of()


def tips(blocks):
    return verify([*LOG[:blocks], *log_of(1)], (0, 1)).tips()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """`(private keys, public keys by id)` of three signers."""
    directory = tmp_path_factory.mktemp("keys")
    public = [make_key(directory / name, None)[0] for name in "abc"]
    return [load_private(directory / name, None) for name in "abc"], load_public(public)


@pytest.fixture(scope="module")
def chain(keys):
    """Four checkpoints, each some blocks after the one before."""
    made = []
    for sequence, blocks in enumerate((2, 3, 3, 7)):
        previous = made[-1].digest() if made else FIRST
        made.append(Checkpoint("audit", sequence, 1_790_000_000_000, previous, tips(blocks), {}).sign(keys[0][0]))
    return made


def lines(chain):
    return [each.line() for each in chain]


def test_checkpoints_read_back_and_attest_each_height_once(chain, keys):
    assert read_chain(lines(chain), keys[1]) == chain
    assert [anchor.height for anchor in anchors_of(chain)[0]] == [1, 2, 6]


def test_a_line_is_json_that_says_where_each_partition_stands(chain):
    body = json.loads(chain[0].line())["checkpoint"]
    assert body["partitions"][0] == {
        "partition": 0, "height": 1, "last_offset": 104, "block_offset": 2, "block_hash": tips(2)[0].block_hash.hex(),
    }  # fmt: skip


@pytest.mark.parametrize("missing", [1, 2])
def test_a_checkpoint_left_out_is_found(chain, keys, missing):
    with pytest.raises(ProtocolError, match="left out"):
        read_chain(lines(chain[:missing] + chain[missing + 1 :]), keys[1])


def test_checkpoints_out_of_order_are_refused(chain, keys):
    with pytest.raises(ProtocolError, match="checkpoint 2"):
        read_chain(lines([chain[0], chain[2], chain[1], chain[3]]), keys[1])


@settings(max_examples=150)
@given(data=st.data())
def test_a_flipped_byte_in_a_checkpoint_is_found(chain, keys, data):
    line = chain[1].line()
    at, change = data.draw(st.integers(0, len(line) - 1)), data.draw(st.integers(1, 255))
    altered = line[:at] + bytes([line[at] ^ change]) + line[at + 1 :]
    with pytest.raises(ProtocolError):
        read_chain([chain[0].line(), altered, *lines(chain[2:])], keys[1])


def test_a_checkpoint_signed_by_a_stranger_is_refused(chain, keys, tmp_path):
    make_key(tmp_path / "stranger", None)
    forged = replace(chain[1], signatures={}).sign(load_private(tmp_path / "stranger", None))
    with pytest.raises(ProtocolError, match="0 valid signatures of the 3 keys given"):
        read_chain(lines([chain[0], forged]), keys[1])


def test_several_signatures_count_by_distinct_keys(chain, keys):
    private, public = keys
    with pytest.raises(ProtocolError, match="1 valid signatures of the 3 keys given, 2 are needed"):
        read_chain(lines(chain[:1]), public, 2)
    again = chain[0].sign(private[0])
    with pytest.raises(ProtocolError, match="1 valid"):
        read_chain(lines([chain[0], again]), public, 2)
    (both,) = read_chain(lines([chain[0], chain[0].sign(private[1])]), public, 2)
    assert len(both.valid_signatures(public)) == 2
    (apart,) = read_chain(lines([chain[0], replace(chain[0], signatures={}).sign(private[2])]), public, 2)
    assert len(apart.signatures) == 2


def test_what_was_attested_cannot_be_taken_back(chain, keys):
    private, public = keys
    last = chain[-1]
    shorter = Checkpoint("audit", 4, 1, last.digest(), tips(4), {}).sign(private[0])
    with pytest.raises(ProtocolError, match="partition 0 was at block 6, now 3"):
        read_chain(lines([*chain, shorter]), public)
    fork = tuple(replace(each, block_hash=bytes(32)) for each in last.anchors)
    with pytest.raises(ProtocolError, match="two hashes for block 6"):
        read_chain(
            lines([*chain, replace(last, sequence=4, previous=last.digest(), anchors=fork).sign(private[0])]), public
        )


def test_a_line_in_any_other_form_is_refused(chain):
    whole = json.loads(chain[0].line())
    for other in (json.dumps(whole), json.dumps({**whole, "more": 1}), "{}", "[]", "1", ""):
        with pytest.raises(ProtocolError, match="not a checkpoint"):
            parse_line(other.encode())


def test_a_file_of_checkpoints_is_only_added_to_and_a_torn_line_was_never_written(tmp_path):
    ledger = FileLedger(tmp_path / "checkpoints")
    assert ledger.lines() == []
    ledger.append(b"one")
    ledger.append(b"two")
    with (tmp_path / "checkpoints").open("ab") as out:
        out.write(b"thr")
    assert ledger.lines() == [b"one", b"two"]
    ledger.append(b"three")
    assert (tmp_path / "checkpoints").read_bytes() == b"one\ntwo\nthree\n"


def test_a_key_is_readable_by_its_owner_alone_and_never_overwritten(tmp_path):
    make_key(tmp_path / "key", None)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    with pytest.raises(SettingsError, match="File exists"):
        make_key(tmp_path / "key", None)
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(SettingsError, match="others may read it"):
        load_private(tmp_path / "key", None)


def test_an_encrypted_key_opens_with_its_passphrase_alone(tmp_path):
    make_key(tmp_path / "key", b"correct horse")
    load_private(tmp_path / "key", b"correct horse")
    for wrong in (None, b"battery staple"):
        with pytest.raises(SettingsError, match="key"):
            load_private(tmp_path / "key", wrong)
