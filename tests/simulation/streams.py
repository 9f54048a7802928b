"""Streams of transactions, laid out as logs, with what an undisturbed single pass makes of them: the reference of every history.

A stream has retries, late and spoiled records, records out of order, accounts that fall silent beyond their time to live, one account that changes
partition, and producers' transactions: committed, aborted and sent again, one inside the other. Making one takes as long as ten histories,
so that histories share them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from zlib import crc32

from monitor.clock import ManualClock
from monitor.context import Context
from monitor.deciding import DecidingContext
from monitor.effects.audit import genesis_block
from monitor.effects.block import read_block
from monitor.effects.message import Message
from monitor.pipeline import decide_run
from monitor.scoring.forest import Forest
from monitor.settings import Settings, load_settings
from monitor.simulate.messages import corrupter, transaction_messages
from monitor.simulate.spec import DAY_MS, SimulationSpec
from monitor.simulate.stream import generate
from monitor.state import accounts
from monitor.state.dispositions import Disposition, Flag
from monitor.state.forgetting import remembered
from monitor.wire.records import Record, Records, Run
from tests.simulation.broker import Entry, Transaction
from tests.simulation.clients import TOPIC_ID

STREAMS = 128
"""How many there are: a history's stream is its seed modulo this."""

RECORDS = 220
CONFLICT_EVERY = 40
"""Records; each is followed by one that has its idempotency key and says something else."""

CUTS = 6
ACCOUNTS = 10
END_MS = SimulationSpec(transactions=RECORDS, accounts=ACCOUNTS).end_ms
"""Wall time of all histories; events are before it."""

IDLE_TTL_MS = 2 * DAY_MS
ALERT_SHARE = 0.03

TREES = 10
"""Of the shipped model's forest that score here: fewer cost less, and are walked by the same kernel."""

accounts.LEAST_GROWTH = (
    16  # a worker makes room for a thousand accounts at a time, and clearing that would be most of a history
)


@dataclass(frozen=True)
class Expected:
    """What is left of one partition after one quiet pass: `alerts` and `letters` in order, without the time of detection."""

    decisions: bytes
    alerts: list[Message]
    letters: list[Message]
    state: dict[bytes, bytes]
    watermark_ms: int
    last_offset: int


@dataclass(frozen=True)
class Stream:
    """`partitions`: the entries of each, `cuts`: the offsets at which most histories cut them.

    `kinds` counts what is in it, by name; `records`, those that are committed.
    """

    partitions: list[list[Entry]]
    cuts: list[list[int]]
    expected: list[Expected]
    kinds: dict[str, int]
    records: int


@cache
def settings() -> Settings:
    """The installation's."""
    return load_settings(environ={})


@cache
def deciding() -> Context:
    """What all runs are decided with. Thresholds are such that about three transactions in a hundred alert."""
    with_schema = Records.of([Record(0, b"", b"\0\0\0\0\1" + b"0")])
    context = DecidingContext(settings(), ManualClock(END_MS)).for_records(with_schema)
    assert context.model is not None
    few = replace(context.model.parts[0], method=_few(context.model.forest))
    context = replace(context, idle_ttl_ms=IDLE_TTL_MS, model=replace(context.model, parts=(few,)))
    assert context.model is not None
    sample = [Record(at, key, value) for at, (key, value) in enumerate(_messages(STREAMS))]
    trial = decide_run(Run("t", 0, -1, Records.of(sample)), accounts.Accounts(), _genesis(0, context), context, END_MS)
    known = sorted(score for score in trial.scores.tolist() if score == score)
    review, block = (known[int(len(known) * (1 - share))] for share in (ALERT_SHARE, ALERT_SHARE / 4))
    return replace(context, model=replace(context.model, review_threshold=review, block_threshold=block))


def _few(forest: Forest) -> Forest:
    """The forest's first trees."""
    arrays = {name: getattr(forest, name)[:TREES] for name in ("feature", "threshold", "leaf", "leaf_samples")}
    return replace(forest, **arrays)


@cache
def stream(number: int) -> Stream:
    """The stream of that number, below `STREAMS`."""
    random = Random(number)
    count = random.choice((2, 2, 2, 3))
    kinds: dict[str, int] = {}
    parts = _spread(random, _messages(number), count, kinds)
    laid_out = [_lay_out(random, part, kinds) for part in parts]
    expected = [_decide(partition, entries, kinds) for partition, entries in enumerate(laid_out)]
    cuts = [sorted(random.sample(range(1, len(entries)), CUTS)) for entries in laid_out]
    return Stream(laid_out, cuts, expected, kinds, sum(map(len, parts)))


def _messages(seed: int) -> list[tuple[bytes | None, bytes | None]]:
    spec = SimulationSpec(
        seed=seed, transactions=RECORDS, accounts=ACCOUNTS, duplicates=0.05, late=0.05, corrupt=0.05, fraud_share=0.05
    )
    spoil, out = corrupter(seed, spec.corrupt), []
    for batch in generate(spec):
        made = spoil(batch, transaction_messages(batch, 1))
        dearer = transaction_messages(replace(batch, amount_minor=batch.amount_minor + 1), 1)
        for row, (key, value) in enumerate(zip(made.keys, made.values, strict=True)):
            out.append((key, value))
            if row % CONFLICT_EVERY == seed % CONFLICT_EVERY:
                out.append((dearer.keys[row], dearer.values[row]))
    return out


def _spread(
    random: Random, messages: list[tuple[bytes | None, bytes | None]], count: int, kinds: dict[str, int]
) -> list[list[tuple[bytes | None, bytes | None]]]:
    """To partitions, by the key; one account moves half-way, and here and there two neighbours change places."""
    mover = random.choice([key for key, _ in messages if key])
    parts: list[list[tuple[bytes | None, bytes | None]]] = [[] for _ in range(count)]
    for at, (key, value) in enumerate(messages):
        home = crc32(key or value or b"") % count
        if key == mover and at > len(messages) / 2:
            home = (home + 1) % count
            _count(kinds, "account in another partition")
        part = parts[home]
        part.append((key, value))
        if len(part) > 1 and random.random() < 0.03:
            part[-2:] = part[:-3:-1]
            _count(kinds, "records out of order")
    return parts


def _lay_out(random: Random, messages: list[tuple[bytes | None, bytes | None]], kinds: dict[str, int]) -> list[Entry]:
    """The log of a partition: some records in transactions, with others between them."""
    entries: list[Entry] = []
    left = list(messages)

    def put(key: bytes | None, value: bytes | None, transaction: Transaction | None, *, marker: bool = False) -> None:
        entries.append(Entry(len(entries), key, value, (), END_MS, transaction, marker))

    while left:
        size = min(len(left), random.randrange(1, 12))
        batch, left = left[:size], left[size:]
        fate = random.choice(("plain", "plain", "committed", "committed", "aborted"))
        if fate == "plain":
            for key, value in batch:
                put(key, value, None)
            continue
        _count(kinds, f"upstream transaction {fate}")
        transaction = Transaction()
        transaction.commits = fate == "committed"
        for key, value in batch:
            put(key, value, transaction)
            if left and random.random() < 0.15:
                put(*left.pop(0), None)
                _count(kinds, "upstream transactions interleaved")
        put(None, None, transaction, marker=True)
        if fate == "aborted":
            left[:0] = batch  # it is sent again
    return entries


def _decide(partition: int, entries: list[Entry], kinds: dict[str, int]) -> Expected:
    context = deciding()
    records = [each for each in entries if not each.is_marker and (not each.transaction or each.transaction.commits)]
    held, position = accounts.Accounts(), _genesis(partition, context)
    run = Run(settings().topic_transactions, partition, -1, Records.of(records))
    decided = decide_run(run, held, position, context, END_MS)
    names, by_topic = context.names, lambda name: [each for each in decided.messages if each.topic == name]
    (block,) = by_topic(names.audit)
    for name, flag in (
        ("idempotency conflict", Flag.CONFLICT),
        ("late", Flag.LATE),
        ("account silent beyond its time to live", Flag.EXPIRED),
    ):
        _count(kinds, name, int((decided.flags & flag != 0).sum()))
    for name, kind in (("retry", Disposition.DUPLICATE), ("dead letter", Disposition.REJECTED)):
        _count(kinds, name, int((decided.dispositions == kind).sum()))
    return Expected(
        decisions=read_block(block.value or b"").decisions.tobytes(),
        alerts=by_topic(names.alerts),
        letters=by_topic(names.dlq),
        state=still_known(by_topic(names.changelog), decided.watermark_ms),
        watermark_ms=decided.watermark_ms,
        last_offset=records[-1].offset,
    )


def still_known(changelog: Iterable[Message | Entry], watermark_ms: int) -> dict[bytes, bytes]:
    """The accounts that a changelog holds, without those that are forgotten: when their memory is freed is nobody's affair."""
    state: dict[bytes, bytes] = {}
    for each in changelog:
        if each.value is None:
            state.pop(each.key or b"", None)
        else:
            state[each.key or b""] = each.value
    return remembered(state, watermark_ms, IDLE_TTL_MS)


def _genesis(partition: int, context: Context):  # type: ignore[no-untyped-def]
    _, position = genesis_block(
        app_id=context.names.app_id, topic=settings().topic_transactions, topic_id=TOPIC_ID, partition=partition, start=0,
        alerts_from_offset=0, versions=context.versions, schema_id=context.audit_schema_id,
    )  # fmt: skip
    return position


def _count(kinds: dict[str, int], name: str, by: int = 1) -> None:
    kinds[name] = kinds.get(name, 0) + by
