"""A retry repeats its key and its content; anything else is another transaction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.guard.dedupe import identity
from monitor.wire import columns as cells
from monitor.wire.columns import Columns

CONTENT = {"amount": 1000, "currency": 11, "direction": 0, "merchant": 13}


def columns_of(*rows):
    """Columns of rows given by name; hashes as they are."""
    n = len(rows)
    longs, hashes = np.zeros((4, n), np.int64), np.zeros((9, n), np.uint64)
    for i, row in enumerate(rows):
        row = {"key": 0, "transaction": 5, **CONTENT, **row}
        longs[cells.AMOUNT_MINOR, i], longs[cells.DIRECTION, i] = row["amount"], row["direction"]
        longs[cells.EVENT_TIME, i] = row.get("event_time", 0)
        hashes[cells.IDEMPOTENCY_KEY, i], hashes[cells.TRANSACTION_ID, i] = row["key"], row["transaction"]
        hashes[cells.CURRENCY, i], hashes[cells.MERCHANT_ID, i] = row["currency"], row["merchant"]
        hashes[cells.DEVICE_ID, i] = row.get("device", 0)
    nothing = np.zeros((9, n), np.int64)
    return Columns(
        np.zeros(0, np.uint8),
        longs,
        nothing,
        nothing.astype(np.int32),
        hashes,
        np.zeros(n, np.uint8),
        np.zeros(n, np.int32),
    )


def test_the_key_is_the_idempotency_key_and_falls_back_to_the_transaction_id():
    key_hash, _ = identity(columns_of({"key": 77}, {"key": 0, "transaction": 5}))
    assert key_hash.tolist() == [77, 5]
    assert key_hash.dtype == np.uint64


def test_a_retry_at_another_time_from_another_device_has_the_same_digest():
    _, digest = identity(columns_of({}, {"event_time": 99, "device": 4, "transaction": 6}))
    assert digest[0] == digest[1]
    assert digest.dtype == np.uint32


@pytest.mark.parametrize("other", [{"amount": 1001}, {"currency": 12}, {"direction": 1}, {"merchant": 0}])
def test_any_part_of_the_content_changes_the_digest(other):
    _, digest = identity(columns_of({}, other))
    assert digest[0] != digest[1]


def test_currency_and_merchant_are_not_interchangeable():
    _, digest = identity(columns_of({"currency": 21, "merchant": 22}, {"currency": 22, "merchant": 21}))
    assert digest[0] != digest[1]


hash64 = st.integers(0, 2**64 - 1)
row = st.fixed_dictionaries(
    {"amount": st.integers(-(2**63), 2**63 - 1), "currency": hash64, "direction": st.integers(0, 1), "merchant": hash64}
)


@given(st.lists(row, max_size=20))
def test_an_identity_does_not_depend_on_its_neighbours(rows):
    key_hash, digest = identity(columns_of(*rows))
    alone = [identity(columns_of(each)) for each in rows]
    assert key_hash.tolist() == [int(k[0]) for k, _ in alone]
    assert digest.tolist() == [int(d[0]) for _, d in alone]


def test_digests_of_neighbouring_amounts_spread():
    _, digest = identity(columns_of(*({"amount": amount} for amount in range(20_000))))
    assert len(set(digest.tolist())) >= 19_998
