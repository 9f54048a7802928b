"""Decision entries: 24 bytes each, and leaves that a verifier rebuilds from the block alone."""

import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.effects import merkle
from monitor.effects.decisions import DECISION, MAX_ID_BYTES, Ids, decisions_of, entries, leaves, survey_of
from monitor.guard.reasons import Reason
from monitor.wire.columns import STRINGS, TRANSACTION_ID, Columns


def ids_of(texts):
    """Spans of these ids; None has none."""
    data, starts, lengths = b"\0", [], []
    for text in texts:
        starts.append(len(data) if text is not None else 0)
        lengths.append(len(text) if text is not None else -1)
        data += text or b""
    return Ids(np.frombuffer(data, np.uint8), np.array(starts, np.int64), np.array(lengths, np.int32))


def test_a_decision_has_the_bytes_that_the_documentation_states():
    decision = np.array((2**40 + 1, 0.5, 1, 2, 50, 4, 6, 255, 300), DECISION)
    assert decision.tobytes() == struct.pack("<qdBBBBBBH", 2**40 + 1, 0.5, 1, 2, 50, 4, 6, 255, 300)


BYTE = st.integers(0, 255)


@given(
    st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(), BYTE, BYTE, BYTE, st.integers(0, 65535), BYTE, BYTE)
    )
)
def test_decisions_are_composed_as_numpy_would_fill_them(rows):
    types = (np.int64, np.float64, np.uint8, np.uint8, np.uint8, np.uint16, np.uint8, np.uint8)
    columns = [np.array([row[at] for row in rows], dtype) for at, dtype in enumerate(types)]
    expected = np.zeros(len(rows), DECISION)
    for name, column in zip(("offset", "score", "disposition", "outcome", "reason"), columns, strict=False):
        expected[name] = column
    expected["flags"], expected["degraded"] = columns[5] & 0xFF, columns[6]
    expected["suppression"] = columns[7]
    made = decisions_of(*columns)
    assert made.tobytes() == expected.tobytes()


@given(st.lists(st.one_of(st.none(), st.binary(max_size=MAX_ID_BYTES + 2)), min_size=1, max_size=20))
def test_leaves_are_decisions_followed_by_their_ids(texts):
    decisions = np.zeros(len(texts), DECISION)
    decisions["offset"] = np.arange(len(texts))
    kept = [text if text is not None and len(text) <= MAX_ID_BYTES else b"" for text in texts]
    sealed = leaves(decisions, ids_of(texts))
    filled = np.frombuffer(sealed.decisions, DECISION)
    assert sealed.texts == b"".join(kept)
    assert filled["id_length"].tolist() == [len(text) for text in kept]
    expected = [row.tobytes() + text for row, text in zip(filled, kept, strict=True)]
    assert entries(filled, np.frombuffer(sealed.texts, np.uint8)) == expected
    assert sealed.root == merkle.root([merkle.leaf_hash(entry) for entry in expected])
    assert not decisions["id_length"].any()  # the caller's array stays as it was


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 2**40)), min_size=1, max_size=20))
def test_a_kernel_counts_and_orders_as_numpy_does(rows):
    decisions = np.zeros(len(rows), DECISION)
    decisions["disposition"] = [row[0] for row in rows]
    decisions["offset"] = np.cumsum([row[1] for row in rows])
    survey = leaves(decisions, ids_of([b"a"] * len(rows))).survey
    assert survey == survey_of(decisions)
    assert (survey.records, survey.ascending) == (len(rows), all(row[1] > 0 for row in rows[1:]))


def test_every_nan_is_one_nan():
    decisions = np.zeros(2, DECISION)
    decisions["score"] = np.array([0x7FF8000000000001, 0xFFF8000000000000], np.uint64).view(np.float64)
    filled = np.frombuffer(leaves(decisions, ids_of([b"a", b"b"])).decisions, DECISION)
    assert filled["score"].copy().view(np.uint64).tolist() == [0x7FF8000000000000] * 2


def test_a_record_that_could_not_be_decoded_has_no_id():
    count = len(STRINGS)
    columns = Columns(
        data=np.frombuffer(b"t-1", np.uint8),
        longs=np.zeros((4, 2), np.int64),
        starts=np.zeros((count, 2), np.int64),
        lengths=np.full((count, 2), 3, np.int32),
        hashes=np.zeros((count, 2), np.uint64),
        reason=np.array([0, Reason.UNDECODABLE], np.uint8),
        schema_ids=np.zeros(2, np.int32),
    )
    ids = Ids.of(columns)
    assert ids.lengths.tolist() == [3, -1]
    assert ids.starts.tolist() == columns.starts[TRANSACTION_ID].tolist()
