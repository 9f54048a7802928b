"""Dead letters: nothing of the original is lost, unless the topic cannot take it, and then it can be found and known again."""

import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.effects.deadletters import DeadLetterTopic, dead_letter
from monitor.guard.reasons import Reason
from monitor.wire.records import Record

TO = DeadLetterTopic("transactions.dlq", "app-7", 8 << 20)
SMALL = 2048
OURS = [
    "__connect.errors.topic",
    "__connect.errors.partition",
    "__connect.errors.offset",
    "__connect.errors.connector.name",
    "__connect.errors.task.id",
    "__connect.errors.stage",
    "__connect.errors.exception.message",
    "reason",
    "monitor.source.timestamp",
]


def letter(reason=Reason.UNDECODABLE, max_bytes=TO.max_bytes, **fields):
    record = Record(**{"offset": 42, "key": b"a-1", "value": b"\0bytes", "timestamp": 17, **fields})
    return dead_letter(record, reason, "transactions", 3, DeadLetterTopic(TO.topic, TO.app_id, max_bytes))


def size(message):
    return len(message.key or b"") + len(message.value or b"") + sum(len(n) + len(v or b"") for n, v in message.headers)


@given(st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.binary()), st.sampled_from(list(Reason)[1:]))
def test_key_and_value_stay_as_they_came(key, value, reason):
    message = letter(reason, key=key, value=value)
    assert (message.topic, message.key, message.value, message.partition) == (TO.topic, key, value, None)


def test_headers_are_those_of_kafka_connect_as_text_and_the_reason_code():
    headers = dict(letter(Reason.NEGATIVE_AMOUNT).headers)
    assert list(headers) == OURS
    assert headers["__connect.errors.topic"] == b"transactions"
    assert headers["__connect.errors.partition"] == b"3"
    assert headers["__connect.errors.offset"] == b"42"
    assert headers["__connect.errors.connector.name"] == b"app-7"
    assert headers["__connect.errors.task.id"] == b"3"
    assert headers["__connect.errors.stage"] == b"content"
    assert headers["__connect.errors.exception.message"] == Reason.NEGATIVE_AMOUNT.explanation.encode()
    assert headers["reason"] == b"negative_amount"
    assert headers["monitor.source.timestamp"] == b"17"


def test_original_headers_come_first_unchanged_also_those_named_like_ours():
    original = [("trace", b"\xff\0"), ("reason", b"theirs"), ("trace", b"again"), ("empty", None)]
    message = letter(headers=original)
    assert message.headers[:4] == original
    assert [name for name, _ in message.headers[4:]] == OURS


def test_a_value_beyond_the_topics_limit_is_described_by_digest_size_and_position():
    value = bytes(range(256)) * 40
    message = letter(Reason.OVERSIZED, SMALL, value=value, headers=[("trace", b"1")])
    described = json.loads(message.value)
    assert described == {
        "source": {"topic": "transactions", "partition": 3, "offset": 42},
        "value": {"bytes": len(value), "sha256": sha256(value).hexdigest()},
        "key": {"bytes": 3, "sha256": sha256(b"a-1").hexdigest()},
        "headers": {"count": 1, "bytes": 16},
    }
    assert message.key == b"a-1"
    assert message.headers[0] == ("trace", b"1")
    assert message.headers[-1] == ("monitor.value.replaced", sha256(value).hexdigest().encode())


def test_headers_beyond_the_limit_go_before_the_key():
    message = letter(max_bytes=SMALL, headers=[("big", bytes(5000))])
    names = [name for name, _ in message.headers]
    assert message.key == b"a-1"
    assert "big" not in names
    assert dict(message.headers)["monitor.headers.replaced"] == b"1"
    assert "monitor.key.replaced" not in names


def test_a_key_beyond_the_limit_goes_last():
    key = bytes(5000)
    message = letter(max_bytes=SMALL, key=key, value=None)
    assert message.key is None
    assert dict(message.headers)["monitor.key.replaced"] == sha256(key).hexdigest().encode()
    assert json.loads(message.value)["key"] == {"bytes": 5000, "sha256": sha256(key).hexdigest()}
    assert json.loads(message.value)["value"] is None


BIG = st.integers(0, 6000).map(bytes)


@given(st.one_of(st.none(), BIG), st.one_of(st.none(), BIG), st.lists(st.tuples(st.text(max_size=5), BIG), max_size=3))
def test_a_dead_letter_always_fits_its_topic(key, value, headers):
    message = letter(max_bytes=SMALL, key=key, value=value, headers=headers)
    assert size(message) <= SMALL
    replaced = "monitor.value.replaced" in dict(message.headers)
    assert replaced or (message.key, message.value, message.headers[: len(headers)]) == (key, value, headers)


@pytest.mark.parametrize("spare", [-1, 0])
def test_the_limit_counts_what_kafka_adds_to_a_record(spare):
    fits = letter(max_bytes=10**9, value=b"")
    limit = size(fits) + 128 + 10 * len(fits.headers)
    assert (letter(max_bytes=limit + spare, value=b"").value == b"") == (spare == 0)
