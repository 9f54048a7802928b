"""Bad input among good: each bad record is a dead letter once, as it came, and nothing else suffers. Real Kafka, real worker."""

import io
import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256

import fastavro
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from monitor.guard.reasons import Reason
from monitor.resources import shipped
from monitor.state.dispositions import Disposition
from monitor.wire.framing import HEADER_BYTES, MAGIC, frame
from monitor.wire.kafka_config import producer_config
from monitor.wire.records import Record

SCHEMA = fastavro.parse_schema(json.loads((shipped("schemas") / "transaction.avsc").read_text()))
SHIPPED_ID = 1

DAY_MS = 86_400_000
LARGEST_AMOUNT = 2**53
FIT_A_TILE = 16
"""So many of the largest amounts add up to the most that a tile's sum may be; one more would not fit."""

LARGE = 5 << 20
TOPIC_TAKES = LARGE + (1 << 20)

HEADERS = [("trace", b"\x00\xff"), ("trace", b"a second one of that name"), ("reason", b"the producer's own"), ("nothing", None)]  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """A message, and the reason that it must be dead-lettered for."""

    key: bytes | None
    value: bytes | None
    reason: Reason = Reason.ADMITTED
    headers: tuple = tuple(HEADERS)


def framed(account, **fields):
    """A good transaction of now, but for `fields`."""
    record = {
        "transaction_id": f"t-{account}", "account_id": account, "event_time": time.time_ns() // 1_000_000 - 60_000,
        "amount_minor": 1_250, "currency": "EUR", "direction": "debit", "channel": "card",
        "merchant_id": "m-1", "country": "DE",
    }  # fmt: skip
    out = io.BytesIO()
    fastavro.schemaless_writer(out, SCHEMA, record | fields)
    return frame(SHIPPED_ID, out.getvalue())


def bad(name, reason, **fields):
    account = f"account-{name}"
    return Sent(account.encode(), framed(account, **fields), reason)


def spoilt_bytes():
    """What is wrong with the bytes: framing, schema, payload."""
    key, value = b"account-bytes", framed("account-bytes")
    flipped = bytearray(value)
    flipped[HEADER_BYTES] ^= 0x80  # the length of transaction_id now goes on in a second byte
    lower = bytearray(value)
    lower[value.rindex(b"account-bytes")] ^= 0x20  # a letter of account_id, which comes after transaction_id
    return [
        *(Sent(key, value[:size], Reason.UNDECODABLE) for size in (HEADER_BYTES, HEADER_BYTES + 1, 40, len(value) - 1)),
        *(Sent(key, value[:size], Reason.TRUNCATED_HEADER) for size in (1, HEADER_BYTES - 1)),
        Sent(key, value + b"\0", Reason.UNDECODABLE),
        Sent(key, bytes(flipped), Reason.UNDECODABLE),
        Sent(key, bytes(lower), Reason.FOREIGN_KEY),
        *(Sent(key, bytes([magic]) + value[1:], Reason.WRONG_MAGIC) for magic in (1, 0x7B, 0xFF)),
        *(Sent(key, frame(each, value[HEADER_BYTES:]), Reason.UNKNOWN_SCHEMA) for each in (999, 2**31 - 1, -1, -(2**31))),
        Sent(key, b"", Reason.EMPTY_VALUE),
        Sent(key, None, Reason.EMPTY_VALUE),
        Sent(None, None, Reason.EMPTY_VALUE),
        Sent(None, value, Reason.MISSING_KEY),
        Sent(b"", value, Reason.MISSING_KEY),
        Sent(b"somebody else", value, Reason.FOREIGN_KEY),
        Sent(b"account-bytes ", value, Reason.FOREIGN_KEY),
        Sent(b"\xff\x00", value, Reason.FOREIGN_KEY),
        bad("large", Reason.OVERSIZED, attributes={"note": "x" * LARGE}),
    ]  # fmt: skip


def spoilt_content():
    """What is wrong with the numbers and words of a record that can be read."""
    now_ms = time.time_ns() // 1_000_000
    return [
        bad("amount-min", Reason.NEGATIVE_AMOUNT, amount_minor=-(2**63)),
        bad("amount-max", Reason.AMOUNT_OUT_OF_RANGE, amount_minor=2**63 - 1),
        bad("amount-beyond", Reason.AMOUNT_OUT_OF_RANGE, amount_minor=LARGEST_AMOUNT + 1),
        bad("amount-converted", Reason.AMOUNT_OUT_OF_RANGE, amount_minor=LARGEST_AMOUNT, currency="GBP"),
        bad("amount-negative", Reason.NEGATIVE_AMOUNT, amount_minor=-1),
        bad("amount-negative-refund", Reason.NEGATIVE_AMOUNT, amount_minor=-1_250, direction="credit"),
        bad("time-min", Reason.EVENT_TIME_OUT_OF_RANGE, event_time=-(2**63)),
        bad("time-max", Reason.EVENT_TIME_IN_FUTURE, event_time=2**63 - 1),
        bad("time-seconds", Reason.EVENT_TIME_OUT_OF_RANGE, event_time=now_ms // 1000),
        bad("time-year-ahead", Reason.EVENT_TIME_IN_FUTURE, event_time=now_ms + 365 * DAY_MS),
        *(
            bad(f"currency-{at}", Reason.UNKNOWN_CURRENCY, currency=code)
            for at, code in enumerate(("QQQ", "eur", "", "EURO", "XXX"))
        ),
        bad("currency-without-rate", Reason.NO_EXCHANGE_RATE, currency="AFN"),
    ]


def legal_oddities():
    """What looks odd and is legal."""
    return [
        bad("refund", Reason.ADMITTED, direction="credit"),
        bad("nothing-paid", Reason.ADMITTED, amount_minor=0),
        bad("largest", Reason.ADMITTED, amount_minor=LARGEST_AMOUNT),
        bad("many-attributes", Reason.ADMITTED, attributes={f"key {n}": "ü" * 50 for n in range(200)}),
    ]


def overflowing(direction):
    """The largest amounts, all in one tile, one more than its sum may hold; and a payment of today, which is none the worse."""
    account = f"whale-{direction}"
    long_ago = time.time_ns() // 1_000_000 - 100 * DAY_MS
    huge = [
        framed(account, transaction_id=f"huge-{n}", event_time=long_ago, amount_minor=LARGEST_AMOUNT, direction=direction)
        for n in range(FIT_A_TILE + 2)
    ]  # fmt: skip
    return [
        *(Sent(account.encode(), each) for each in huge[:FIT_A_TILE]),
        *(Sent(account.encode(), each, Reason.SUM_OVERFLOW) for each in huge[FIT_A_TILE:]),
        Sent(account.encode(), framed(account, direction=direction)),
    ]


def scattered(good, bad, seed=1):
    """Both mixed, each in its own order."""
    draws = random.Random(seed)
    places = sorted(draws.sample(range(len(good) + len(bad)), len(bad)))
    out = list(good)
    for place, each in zip(places, bad, strict=True):
        out.insert(place, each)
    return out


def produce(installation, messages):
    """Write them with their headers; (partition, offset) -> message."""
    producer = Producer(producer_config(installation.settings) | {"message.max.bytes": 12 << 20})
    landed = {}

    def note(message, error, delivered):
        assert error is None, error
        landed[delivered.partition(), delivered.offset()] = message

    for each in messages:
        producer.produce(
            installation.settings.topic_transactions, each.value, each.key, headers=list(each.headers),
            on_delivery=lambda error, delivered, each=each: note(each, error, delivered),
        )  # fmt: skip
        producer.poll(0)
    assert producer.flush(60) == 0
    for (partition, offset), each in sorted(landed.items(), key=lambda item: item[0]):
        installation.sent.setdefault(partition, []).append(Record(offset, each.key, each.value))
    return landed


def let_in_large_messages(installation):
    topic = ConfigResource(
        ConfigResource.Type.TOPIC,
        installation.settings.topic_transactions,
        incremental_configs=[
            ConfigEntry("max.message.bytes", str(TOPIC_TAKES), incremental_operation=AlterConfigOpType.SET)
        ],
    )
    admin = AdminClient({"bootstrap.servers": installation.settings.brokers})
    for done in admin.incremental_alter_configs([topic]).values():
        done.result(20)


def decisions(installation):
    """(partition, offset) -> (disposition, reason), each there once."""
    found = [
        ((block.partition, int(each["offset"])), (Disposition(int(each["disposition"])), Reason(int(each["reason"]))))
        for block in installation.blocks()
        for each in block.decisions
    ]
    assert len(dict(found)) == len(found)
    return dict(found)


def ours(letter):
    """The headers that the monitor added, by name: they come last, so a producer's own of that name does not hide them."""
    return dict(letter.headers())


def letter_reason(letter):
    return ours(letter)["reason"].decode()


def source(letter):
    headers = ours(letter)
    return int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"])


def letters_by_source(installation):
    """(partition, offset) -> dead letter, each there once."""
    letters = installation.read(installation.settings.topic_dlq)
    found = {source(letter): letter for letter in letters}
    assert len(found) == len(letters)
    return found


def check_counts(worker, installation, wait_until):
    """The metrics agree with the audit log, and the log's counts add up."""
    decided = decisions(installation)
    blocks = installation.blocks()
    total = {
        name: sum(getattr(b, name) for b in blocks) for name in ("records", "scored", "duplicates", "dead_letters")
    }
    assert total["records"] == len(decided) == total["scored"] + total["duplicates"] + total["dead_letters"]
    wait_until(lambda: worker.metrics()["monitor_transactions_in_total"] >= total["records"], 20, worker.tail)
    metrics = worker.metrics()
    assert metrics["monitor_transactions_in_total"] == total["records"]
    assert metrics["monitor_transactions_scored_total"] == total["scored"]
    assert metrics["monitor_transactions_duplicate_total"] == total["duplicates"]
    reasons = Counter(reason for _, reason in decided.values() if reason)
    assert sum(reasons.values()) == total["dead_letters"]
    for reason in list(Reason)[1:]:
        assert metrics[f'monitor_dead_letters_total{{reason="{reason.code}"}}'] == reasons[reason], reason
    assert metrics["monitor_transactions_replayed_total"] == 0


def test_each_kind_of_bad_input_is_one_dead_letter_as_it_came_and_the_good_flow_on(install, transactions, wait_until):
    installation = install(partitions=2, max_amount_minor=LARGEST_AMOUNT)
    let_in_large_messages(installation)
    good = [Sent(key, value, headers=()) for key, value in transactions(2_000, duplicates=0.0)]
    retried = bad("retried", Reason.ADMITTED)
    special = [*overflowing("debit"), *overflowing("credit"), *spoilt_bytes(), *spoilt_content(), *legal_oddities()]
    messages = [*scattered(good, special), retried, retried]
    worker = installation.start()
    worker.wait_ready()
    landed = produce(installation, messages)
    installation.wait_decided()

    letters = letters_by_source(installation)
    assert {at: letter_reason(letter) for at, letter in letters.items()} == {
        at: message.reason.code for at, message in landed.items() if message.reason
    }
    for at, letter in letters.items():
        message = landed[at]
        assert (letter.key(), letter.value()) == (message.key, message.value), message.reason
        assert letter.headers()[: len(message.headers)] == list(message.headers)
        headers = ours(letter)
        assert headers["__connect.errors.topic"].decode() == installation.settings.topic_transactions
        assert headers["__connect.errors.stage"].decode() == message.reason.stage

    decided = decisions(installation)
    assert {at: reason for at, (_, reason) in decided.items()} == {at: m.reason for at, m in landed.items()}
    dispositions = Counter(disposition for disposition, _ in decided.values())
    assert dispositions[Disposition.DUPLICATE] == 1
    assert dispositions[Disposition.REJECTED] == sum(1 for message in messages if message.reason)
    assert installation.state() == installation.reference().state
    check_counts(worker, installation, wait_until)
    assert worker.stop() == 0


def test_beyond_the_limit_of_the_dead_letter_topic_digest_and_position_stand_for_the_bytes(install, wait_until):
    installation = install(partitions=1, dlq_max_bytes=1 << 20)
    let_in_large_messages(installation)
    value, small = framed("account-large", attributes={"note": "x" * LARGE}), framed("account-small")
    headers = (("trace", b"x" * (1 << 20)),)
    messages = [
        Sent(b"account-before", framed("account-before")),
        Sent(b"account-large", value, Reason.OVERSIZED),
        Sent(b"k" * (1 << 20), small, Reason.FOREIGN_KEY),
        Sent(b"somebody else", small, Reason.FOREIGN_KEY, headers),
        Sent(b"account-small", small, headers=headers),
    ]
    worker = installation.start()
    landed = produce(installation, messages)
    installation.wait_decided()

    letters = letters_by_source(installation)
    assert sorted(letters) == [(0, 1), (0, 2), (0, 3)]
    for at, letter in letters.items():
        described, message = json.loads(letter.value()), landed[at]
        assert described["source"] == {
            "topic": installation.settings.topic_transactions, "partition": 0, "offset": at[1],
        }  # fmt: skip
        assert described["value"] == {"bytes": len(message.value), "sha256": sha256(message.value).hexdigest()}
        assert described["key"] == {"bytes": len(message.key), "sha256": sha256(message.key).hexdigest()}
        named = dict(letter.headers())
        assert named["reason"].decode() == message.reason.code
        assert named["monitor.value.replaced"].decode() == sha256(message.value).hexdigest()
    assert letters[0, 1].key() == b"account-large"
    assert letters[0, 1].headers()[: len(HEADERS)] == HEADERS
    assert letters[0, 2].key() is None
    assert dict(letters[0, 2].headers())["monitor.key.replaced"].decode() == sha256(b"k" * (1 << 20)).hexdigest()
    assert letters[0, 3].key() == b"somebody else"
    assert dict(letters[0, 3].headers())["monitor.headers.replaced"] == b"1"
    check_counts(worker, installation, wait_until)
    assert worker.stop() == 0


def unreadable(value):
    """Whether another reader refuses the value, or leaves bytes over."""
    stream = io.BytesIO(value[HEADER_BYTES:])
    try:
        fastavro.schemaless_reader(stream, SCHEMA, None)
    except Exception:
        return True
    return stream.read(1) != b""


def test_every_bit_of_a_transaction_flipped_and_every_byte_cut_off_is_decided_or_a_dead_letter(install, wait_until):
    installation = install(partitions=1)
    value = framed("account-1", attributes={"note": "ü"})
    flips = []
    for bit in range(8 * len(value)):
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        flips.append(Sent(b"account-1", bytes(flipped), headers=()))
    cuts = [Sent(b"account-1", value[:size], headers=()) for size in range(len(value))]
    worker = installation.start()
    landed = produce(installation, [*flips, *cuts, Sent(b"account-1", value)])
    installation.wait_decided()

    decided, letters = decisions(installation), letters_by_source(installation)
    assert set(decided) == set(landed)
    assert set(letters) == {at for at, (disposition, _) in decided.items() if disposition is Disposition.REJECTED}
    for at, letter in letters.items():
        assert letter.value() == landed[at].value
    for at, message in landed.items():
        altered = message.value[:HEADER_BYTES] != bytes([MAGIC, 0, 0, 0, SHIPPED_ID])
        if altered or unreadable(message.value) or b"account-1" not in message.value:
            assert at in letters, message.value
    assert len(letters) < len(landed)
    assert decided[max(landed)][0] in (Disposition.SCORED, Disposition.DUPLICATE)
    assert installation.state() == installation.reference().state
    check_counts(worker, installation, wait_until)
    assert worker.stop() == 0


def test_transactions_that_their_producer_aborted_are_never_decided_and_their_gaps_are_honest(
    install, transactions, topic_prefix, wait_until
):
    installation = install(partitions=2)
    settings = installation.settings
    worker = installation.start()
    worker.wait_ready()
    producers = [
        Producer(producer_config(settings) | {"transactional.id": f"{topic_prefix}-upstream-{n}"}) for n in range(2)
    ]
    for producer in producers:
        producer.init_transactions(20)
    committed, aborted, rest = {}, {}, transactions(4_000, duplicates=0.0)

    def write(producer, messages, into):
        for key, value in messages:
            producer.produce(
                settings.topic_transactions, value, key,
                on_delivery=lambda _error, delivered: into.__setitem__((delivered.partition(), delivered.offset()), delivered),
            )  # fmt: skip
            producer.poll(0)

    def decided_all():
        return set(decisions(installation)) >= set(committed)

    for turn in range(8):
        for producer in producers:
            producer.begin_transaction()
        # Both write into both partitions, by turns; in each round one of them takes its part back.
        keeps, fails = producers[turn % 2], producers[1 - turn % 2]
        kept, dropped = {}, {}
        for _ in range(5):
            write(keeps, [rest.pop() for _ in range(30)], kept)
            write(fails, [rest.pop() for _ in range(30)], dropped)
            for producer in producers:
                producer.flush(20)
        (keeps.commit_transaction if turn < 4 else fails.abort_transaction)(20)
        (fails.abort_transaction if turn < 4 else keeps.commit_transaction)(20)
        committed |= kept
        aborted |= dropped
        wait_until(decided_all, 60, worker.tail)
    installation.check_alive()

    assert len(committed) == len(aborted) == 1_200
    assert set(decisions(installation)) == set(committed)
    for (partition, offset), message in sorted(committed.items(), key=lambda item: item[0]):
        installation.sent.setdefault(partition, []).append(Record(offset, message.key(), message.value()))
    assert installation.state() == installation.reference().state
    check_counts(worker, installation, wait_until)
    metrics = worker.metrics()
    # Each round but the first begins behind the marks that end the one before, when those have been decided already.
    assert metrics['monitor_gap_checks_total{result="honest"}'] >= 7
    assert metrics['monitor_gap_checks_total{result="loss"}'] == 0
    assert worker.stop() == 0


@pytest.mark.parametrize("fetches", [{}, {"fetch_max_bytes": 20_000, "max_run_records": 200}])
def test_after_a_crash_what_was_decided_before_counts_as_replayed_or_not_at_all(
    install, transactions, wait_until, fetches
):
    installation = install(partitions=2)
    installation.produce(transactions(6_000, corrupt=0.02))
    first = installation.start(max_run_records=100)
    wait_until(lambda: sum(block.records for block in installation.blocks()) >= 1_000, 90, first.tail)
    first.kill()
    before = decisions(installation)
    second = installation.start(**fetches)
    installation.wait_decided()

    assert len(before) < 6_000
    assert len(decisions(installation)) == 6_000
    assert len(letters_by_source(installation)) == sum(block.dead_letters for block in installation.blocks())
    wait_until(lambda: second.metrics()["monitor_transactions_in_total"] >= 6_000 - len(before), 20, second.tail)
    assert second.metrics()["monitor_transactions_in_total"] == 6_000 - len(before)
    assert second.stop() == 0
