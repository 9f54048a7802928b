"""Walking the log: an honest one is found good, and whatever was done to one is called by its name."""

import numpy as np
import pytest

from monitor.audit.findings import Kind
from monitor.audit.report import verify
from monitor.audit.stored import Anchor
from monitor.effects import merkle
from monitor.effects.audit import position_of
from monitor.effects.block import read_block
from monitor.effects.decisions import entries
from tests.audit_log import log_of, moved, next_block, resealed, unsealed, with_decision

LOG = log_of()


def anchor(stored):
    return Anchor.of(read_block(stored.value), stored.offset)


def found(log, anchors=None, partitions=(0,)):
    return verify(log, partitions, {0: list(anchors)} if anchors else None)


def only(report):
    (finding,) = report.findings
    return finding


def test_an_honest_log_is_good_and_counted():
    report = found(LOG)
    assert report.ok
    assert (report.blocks, report.decisions) == (7, 30)
    assert report.tips() == (anchor(LOG[-1]),)


def test_a_dropped_block_is_a_gap_with_its_height_and_offsets():
    finding = only(found(LOG[:3] + LOG[4:]))
    assert (finding.kind, finding.height, finding.offset) == (Kind.GAP, 4, LOG[4].offset)
    assert "block 3 missing: offsets 110 to 114" in finding.what


def test_a_block_that_comes_twice_is_a_duplicate():
    finding = only(found(moved([*LOG[:4], LOG[3], *LOG[4:]])))
    assert (finding.kind, finding.height) == (Kind.DUPLICATE, 3)


def test_a_block_that_comes_twice_much_later_is_a_duplicate():
    assert only(found(moved([*LOG[:6], LOG[2], LOG[6]]))).kind == Kind.DUPLICATE


def test_two_blocks_for_one_place_are_a_fork():
    before = position_of(read_block(LOG[3].value))
    other, _ = next_block(before, seed=9)
    finding = only(found(moved([*LOG[:5], LOG[5]._replace(value=other), *LOG[5:]])))
    assert (finding.kind, finding.height) == (Kind.FORK, 4)


@pytest.mark.parametrize("byte", range(24))
def test_any_byte_of_a_decision_that_was_changed_is_an_altered_decision(byte):
    finding = only(found([*LOG[:3], with_decision(LOG[3], 2, byte), *LOG[4:]]))
    assert (finding.kind, finding.height, finding.offset) == (Kind.ALTERED_DECISION, 3, LOG[3].offset)
    assert "offsets 110 to 114" in finding.what


def test_an_altered_decision_that_cannot_be_is_named():
    finding = only(found([*LOG[:3], with_decision(LOG[3], 2, 17, 8), *LOG[4:]]))
    assert "number 2 (offset 112)" in finding.what


def test_an_altered_transaction_id_is_an_altered_decision():
    ids = read_block(LOG[3].value).transaction_ids
    finding = only(found([*LOG[:3], unsealed(LOG[3], transaction_ids=b"x" + ids[1:]), *LOG[4:]]))
    assert finding.kind == Kind.ALTERED_DECISION


@pytest.mark.parametrize(
    "changes",
    [{"last_offset": 115}, {"versions": {}}, {"merkle_root": bytes(32)}, {"block_hash": bytes(32)}, {"height": 4}],
)
def test_anything_else_in_a_block_that_was_changed_is_an_altered_block(changes):
    assert only(found([*LOG[:3], unsealed(LOG[3], **changes), *LOG[4:]])).kind == Kind.ALTERED_BLOCK


def test_a_block_replaced_by_another_whole_one_breaks_the_chain_at_the_next():
    other, _ = next_block(position_of(read_block(LOG[2].value)), seed=9)
    finding = only(found([*LOG[:3], LOG[3]._replace(value=other), *LOG[4:]]))
    assert (finding.kind, finding.height) == (Kind.BROKEN, 4)


def test_offsets_decided_again_are_an_overlap():
    finding = only(found([*LOG[:3], resealed(LOG[3], first_offset=109), *LOG[4:]]))
    assert (finding.kind, finding.height) == (Kind.OVERLAP, 3)
    assert "begins at offset 109, but offsets to 109 were decided already" in finding.what


def test_offsets_left_out_between_blocks_in_a_row_are_a_gap():
    decisions = read_block(LOG[3].value).decisions[1:]
    ids = read_block(LOG[3].value).transaction_ids[int(read_block(LOG[3].value).decisions["id_length"][0]) :]
    leaves = [merkle.leaf_hash(entry) for entry in entries(decisions, np.frombuffer(ids, np.uint8))]
    later = resealed(
        LOG[3], first_offset=111, records=4, scored=4, decisions=decisions.tobytes(), transaction_ids=ids,
        merkle_root=merkle.root(leaves),
    )  # fmt: skip
    finding = only(found([*LOG[:3], later]))
    assert (finding.kind, finding.height) == (Kind.GAP, 3)
    assert "begins at offset 111, the block before ended at 109" in finding.what


def test_swapped_partitions_are_misplaced_in_both():
    one, two = log_of(0), log_of(1)
    swapped = [stored._replace(partition=0) for stored in two] + [stored._replace(partition=1) for stored in one]
    report = verify(swapped, (0, 1))
    assert [(finding.kind, finding.partition) for finding in report.findings] == [
        (Kind.MISPLACED, 0),
        (Kind.MISPLACED, 1),
    ]


@pytest.mark.parametrize("other", [{"app_id": "another"}, {"topic_id": "another"}])
def test_a_partition_of_another_installation_or_topic_is_foreign(other):
    report = verify([*LOG, *log_of(1, **other)], (0, 1))
    assert [(finding.kind, finding.partition) for finding in report.findings] == [(Kind.FOREIGN, 1)]


def test_a_block_of_another_installation_in_the_middle_is_foreign():
    strange = log_of(app_id="another")[4]
    assert only(found([*LOG[:4], strange, *LOG[5:]])).kind == Kind.FOREIGN


def test_a_log_that_does_not_begin_at_its_genesis_says_so():
    assert only(found(LOG[2:])).kind == Kind.NO_GENESIS


def test_what_is_no_block_is_unreadable():
    assert only(found([*LOG[:3], LOG[3]._replace(value=b"\0\0\0\0\7nothing")])).kind == Kind.UNREADABLE


def test_a_cut_off_end_is_seen_only_against_a_checkpoint():
    assert found(LOG[:4]).ok
    finding = only(found(LOG[:4], [anchor(LOG[5])]))
    assert (finding.kind, finding.height) == (Kind.TRUNCATED, 3)
    assert only(found([], [anchor(LOG[5])])).kind == Kind.TRUNCATED


def test_a_log_written_anew_is_seen_only_against_a_checkpoint():
    anew = log_of(seed=9)
    assert found(anew).ok
    finding = only(found(anew, [anchor(LOG[5])]))
    assert (finding.kind, finding.height) == (Kind.REWRITTEN, 5)


@pytest.mark.parametrize("start", range(1, 7))
def test_a_log_whose_beginning_was_removed_goes_on_from_what_was_attested(start):
    assert found(LOG[start:], [anchor(LOG[3])]).ok == (start <= 4)
    assert found(LOG[start:], [anchor(LOG[3]), anchor(LOG[6])]).ok


def test_a_log_that_goes_on_from_something_else_than_was_attested_is_not_good():
    anew = log_of(seed=9)
    assert only(found(anew[4:], [anchor(LOG[3])])).kind == Kind.BROKEN
    assert only(found(LOG[5:], [anchor(LOG[3])])).kind == Kind.GAP


def test_only_the_first_finding_of_each_partition_is_told():
    report = verify([*LOG[:2], *LOG[3:5], LOG[4], *log_of(1), *log_of(2)[:3], *log_of(2)[4:]], (0, 1, 2))
    assert [(finding.partition, finding.height) for finding in report.findings] == [(0, 3), (2, 4)]
    assert [chain.blocks for chain in report.chains] == [5, 7, 6]


def test_partitions_without_blocks_are_reported_as_such():
    report = verify(log_of(1), (0, 1, 2))
    assert [(chain.partition, chain.blocks) for chain in report.chains] == [(0, 0), (1, 7), (2, 0)]
    assert report.ok


def test_partitions_out_of_order_are_damage_not_a_good_log():
    report = verify([*log_of(1), *LOG], (0, 1))
    assert not report.ok
    assert "out of turn" in report.damage


def test_a_block_that_contradicts_the_one_before_in_anything_else_is_found_as_well():
    finding = only(found([*LOG[:-1], resealed(LOG[-1], alerts_from_offset=101)]))
    assert (finding.kind, finding.height) == (Kind.ALTERED_BLOCK, 6)
    assert "alerts_from_offset is 101" in finding.what
