"""Admission: one table of what is refused and why, and properties that hold for whatever a producer may send."""

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.guard.reasons import Reason
from monitor.guard.row_checks import EARLIEST_EVENT_TIME_MS, MAX_ID_BYTES
from monitor.guard.validate import Limits, admit
from monitor.money.exchange import load_exchange, parse_exchange
from monitor.wire.columns import LONGS, STRINGS, Columns
from monitor.wire.records import Spans

NOW_MS = 1_790_000_000_000
LIMITS = Limits(max_amount_minor=10**15, future_skew_ms=300_000)
INT64_MAX, INT64_MIN = 2**63 - 1, -(2**63)
EXCHANGE = parse_exchange(
    {"version": "t", "base": "EUR", "as_of": dt.date(2026, 1, 1), "rates": {"USD": "0.85", "KWD": "20", "JPY": "0.006"}}
)

GOOD = {
    "transaction_id": b"t-1",
    "account_id": b"a-1",
    "currency": b"EUR",
    "merchant_id": b"m",
    "merchant_category": b"5411",
    "country": b"DE",
    "device_id": b"d",
    "ip": b"::1",
    "idempotency_key": None,
    "event_time": NOW_MS,
    "amount_minor": 1234,
    "direction": 0,
    "channel": 0,
}


def columns(*rows):
    """Columns of these rows, each a change of `GOOD`; a row may carry the `reason` that decoding gave it."""
    data, starts, lengths = bytearray(b"\0"), np.zeros((9, len(rows)), np.int64), np.full((9, len(rows)), -1, np.int32)
    longs = np.zeros((4, len(rows)), np.int64)
    for row, change in enumerate(rows):
        cells = {**GOOD, **change}
        longs[:, row] = [cells[name] for name in LONGS]
        for field, name in enumerate(STRINGS):
            if cells[name] is not None:
                starts[field, row], lengths[field, row] = len(data), len(cells[name])
                data += cells[name]
    return Columns(
        data=np.frombuffer(bytes(data), np.uint8),
        longs=longs,
        starts=starts,
        lengths=lengths,
        hashes=np.zeros((9, len(rows)), np.uint64),
        reason=np.array([change.get("reason", 0) for change in rows], np.uint8),
        schema_ids=np.ones(len(rows), np.int32),
    )


def keys_of(rows):
    return [change.get("key", change.get("account_id", GOOD["account_id"])) for change in rows]


def judge(*rows, exchange=EXCHANGE, limits=LIMITS, now_ms=NOW_MS):
    return admit(columns(*rows), Spans.of(keys_of(rows)), exchange, limits, now_ms)


LONG, LONGEST = b"x" * (MAX_ID_BYTES + 1), b"x" * MAX_ID_BYTES


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"key": None}, Reason.MISSING_KEY),
        ({"key": b""}, Reason.MISSING_KEY),
        ({"key": b"", "account_id": b""}, Reason.MISSING_KEY),
        ({"key": b"a-2"}, Reason.FOREIGN_KEY),
        ({"key": b"a-11"}, Reason.FOREIGN_KEY),
        ({"key": b"a-"}, Reason.FOREIGN_KEY),
        ({"key": b"A-1"}, Reason.FOREIGN_KEY),
        ({"key": b"k", "account_id": b""}, Reason.FOREIGN_KEY),
        ({"transaction_id": b""}, Reason.BAD_TRANSACTION_ID),
        ({"transaction_id": LONG}, Reason.BAD_TRANSACTION_ID),
        ({"account_id": LONG}, Reason.BAD_ACCOUNT_ID),
        ({"idempotency_key": b""}, Reason.BAD_IDEMPOTENCY_KEY),
        ({"idempotency_key": LONG}, Reason.BAD_IDEMPOTENCY_KEY),
        ({"merchant_id": LONG}, Reason.BAD_STRING),
        ({"merchant_category": LONG}, Reason.BAD_STRING),
        ({"device_id": LONG}, Reason.BAD_STRING),
        ({"ip": LONG}, Reason.BAD_STRING),
        ({"amount_minor": -1}, Reason.NEGATIVE_AMOUNT),
        ({"amount_minor": INT64_MIN}, Reason.NEGATIVE_AMOUNT),
        ({"amount_minor": 10**15 + 1}, Reason.AMOUNT_OUT_OF_RANGE),
        ({"amount_minor": INT64_MAX}, Reason.AMOUNT_OUT_OF_RANGE),
        ({"amount_minor": 10**15, "currency": b"KWD"}, Reason.AMOUNT_OUT_OF_RANGE),
        ({"currency": b""}, Reason.UNKNOWN_CURRENCY),
        ({"currency": b"EU"}, Reason.UNKNOWN_CURRENCY),
        ({"currency": b"EURO"}, Reason.UNKNOWN_CURRENCY),
        ({"currency": b"eur"}, Reason.UNKNOWN_CURRENCY),
        ({"currency": b"XXX"}, Reason.UNKNOWN_CURRENCY),
        ({"currency": b"\xff\xff\xff"}, Reason.UNKNOWN_CURRENCY),
        ({"currency": b"GBP"}, Reason.NO_EXCHANGE_RATE),
        ({"country": b""}, Reason.BAD_COUNTRY),
        ({"country": b"D"}, Reason.BAD_COUNTRY),
        ({"country": b"DEU"}, Reason.BAD_COUNTRY),
        ({"country": b"de"}, Reason.BAD_COUNTRY),
        ({"country": b"D1"}, Reason.BAD_COUNTRY),
        ({"country": "Ä".encode()}, Reason.BAD_COUNTRY),
        ({"event_time": NOW_MS + 300_001}, Reason.EVENT_TIME_IN_FUTURE),
        ({"event_time": NOW_MS + 365 * 86_400_000}, Reason.EVENT_TIME_IN_FUTURE),
        ({"event_time": INT64_MAX}, Reason.EVENT_TIME_IN_FUTURE),
        ({"event_time": EARLIEST_EVENT_TIME_MS - 1}, Reason.EVENT_TIME_OUT_OF_RANGE),
        ({"event_time": 0}, Reason.EVENT_TIME_OUT_OF_RANGE),
        ({"event_time": INT64_MIN}, Reason.EVENT_TIME_OUT_OF_RANGE),
    ],
)
def test_a_transaction_that_is_not_plausible_is_refused_with_its_reason(change, reason):
    admission = judge({}, change, {})
    assert [Reason(each) for each in admission.reason] == [Reason.ADMITTED, reason, Reason.ADMITTED]
    assert (admission.base_amount[1], admission.country[1]) == (0, 0)
    assert admission.admitted.tolist() == [True, False, True]


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 0},
        {"amount_minor": 10**15},
        {"direction": 1},
        {"transaction_id": LONGEST, "account_id": LONGEST, "idempotency_key": LONGEST, "merchant_id": LONGEST},
        {"merchant_id": None, "merchant_category": None, "country": None, "device_id": None, "ip": None},
        {"merchant_id": b"", "device_id": b""},
        {"event_time": NOW_MS + 300_000},
        {"event_time": EARLIEST_EVENT_TIME_MS},
        {"account_id": "Zoë-€".encode()},
        {"idempotency_key": b"k"},
    ],
)
def test_what_is_unusual_but_legal_is_admitted(change):
    assert judge(change).reason.tolist() == [0]


def test_a_refund_is_a_credit_and_legal():
    admission = judge({"direction": 1, "amount_minor": 500})
    assert (admission.reason[0], admission.base_amount[0]) == (0, 500)


def test_amounts_arrive_in_base_minor_units_and_countries_packed():
    admission = judge(
        {"currency": b"USD", "amount_minor": 100, "country": b"US"}, {"currency": b"JPY"}, {"country": None}
    )
    assert admission.base_amount.tolist() == [85, 740, 1234]
    assert admission.country.tolist() == [ord("U") << 8 | ord("S"), ord("D") << 8 | ord("E"), 0]
    assert (admission.reason.dtype, admission.base_amount.dtype, admission.country.dtype) == (
        np.uint8,
        np.int64,
        np.uint16,
    )


def test_a_reason_from_decoding_stays_whatever_else_is_wrong():
    admission = judge({"reason": Reason.UNDECODABLE, "key": None, "amount_minor": -1}, {})
    assert admission.reason.tolist() == [Reason.UNDECODABLE, 0]


def test_the_columns_are_left_as_they_were():
    rows = columns({"amount_minor": -1})
    admit(rows, Spans.of([b"a-1"]), EXCHANGE, LIMITS, NOW_MS)
    assert rows.reason.tolist() == [0]


def test_an_undecodable_row_does_not_shift_the_keys_of_others():
    admission = judge({"reason": Reason.WRONG_MAGIC, "key": b"a longer key"}, {"account_id": b"b"}, {"key": b"b"})
    assert admission.reason.tolist() == [Reason.WRONG_MAGIC, 0, Reason.FOREIGN_KEY]


def test_no_records_are_admitted_to_nothing():
    admission = judge()
    assert (admission.reason.size, admission.base_amount.size, admission.country.size) == (0, 0, 0)


def test_a_clock_at_the_end_of_time_overflows_nothing():
    assert judge({"event_time": INT64_MAX}, now_ms=INT64_MAX).reason.tolist() == [0]


def test_limits_beyond_what_converts_exactly_are_held_to_it():
    admission = judge({"amount_minor": 2**53 + 1}, limits=Limits(INT64_MAX, 0))
    assert admission.reason.tolist() == [Reason.AMOUNT_OUT_OF_RANGE]


FAULTS = [
    {"key": None},
    {"key": b"other"},
    {"transaction_id": b""},
    {"account_id": LONG},
    {"idempotency_key": b""},
    {"ip": LONG},
    {"amount_minor": -1},
    {"amount_minor": 10**15 + 1},
    {"currency": b"ZZZ"},
    {"currency": b"GBP"},
    {"country": b"xx"},
    {"event_time": INT64_MAX},
    {"event_time": INT64_MIN},
]


@given(st.lists(st.sampled_from(range(len(FAULTS))), min_size=1, max_size=6))
def test_of_several_faults_the_reason_with_the_lowest_number_is_given(faults):
    merged = {}
    for fault in sorted(faults, reverse=True):  # an earlier fault of the same field stands
        merged.update(FAULTS[fault])
    alone = {int(judge({name: value}).reason[0]) for name, value in merged.items() if name != "account_id"}
    if merged.get("account_id") == LONG:
        alone |= {int(judge({"account_id": LONG}).reason[0])}
    assert int(judge(merged).reason[0]) == min(alone)


TEXTS = st.one_of(st.none(), st.binary(max_size=4), st.sampled_from([b"DE", b"EUR", b"KWD", b"a-1", LONG]))
INT64S = st.one_of(
    st.integers(INT64_MIN, INT64_MAX), st.sampled_from([0, 1, NOW_MS, 10**15, 2**53, 2**53 + 1, INT64_MIN, INT64_MAX])
)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "key": TEXTS,
        "transaction_id": st.binary(max_size=3),
        "account_id": st.binary(max_size=3),
        "currency": st.one_of(st.binary(max_size=4), st.sampled_from([b"EUR", b"USD", b"KWD", b"GBP"])),
        "merchant_id": TEXTS,
        "country": TEXTS,
        "idempotency_key": TEXTS,
        "event_time": INT64S,
        "amount_minor": INT64S,
        "reason": st.sampled_from([0, int(Reason.UNDECODABLE), int(Reason.OVERSIZED)]),
    },
)


@given(st.lists(ROWS, max_size=8))
def test_rows_are_judged_alone_and_only_the_admitted_have_values(rows):
    together = judge(*rows)
    for row, change in enumerate(rows):
        alone = judge(change)
        assert together.reason[row] == alone.reason[0]
        assert together.base_amount[row] == alone.base_amount[0]
        assert together.country[row] == alone.country[0]
        Reason(together.reason[row])  # a known code
        if together.reason[row]:
            assert (together.base_amount[row], together.country[row]) == (0, 0)
        else:
            assert 0 <= together.base_amount[row] <= LIMITS.max_amount_minor


def test_the_shipped_exchange_table_admits_the_worlds_large_currencies():
    rows = [{"currency": code} for code in (b"USD", b"EUR", b"CNY", b"JPY", b"GBP", b"INR", b"BRL", b"KWD")]
    assert not judge(*rows, exchange=load_exchange()).reason.any()
