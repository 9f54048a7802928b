"""What a takeover does in which order, and what it refuses, on a log in memory."""

from dataclasses import dataclass, field

import pytest

from monitor.clock import ManualClock
from monitor.effects.audit import genesis_block
from monitor.effects.changelog import changelog_tail
from monitor.errors import BrokerError, FencedError, GapError, ProtocolError, TopicError
from monitor.takeover import Takeover
from monitor.wire.log import Tail
from monitor.wire.start import Start

TOPIC, AUDIT, CHANGELOG = "transactions", "audit", "changelog"


@dataclass
class Log:
    """Tails by topic, the source topic's id and watermarks, and the group's committed offset; `asked` is who asked, in order."""

    tails: dict[str, Tail] = field(default_factory=dict)
    id: str = "topic-id"
    marks: tuple[int, int] = (0, 100)
    committed: int | None = None
    batches: list = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def topic_id(self, topic):
        self.asked.append("topic_id")
        return self.id

    def watermarks(self, topic, partition):
        return self.marks

    def tail(self, topic, partition):
        self.asked.append(f"tail of {topic}")
        return self.tails.get(topic)

    def group_offset(self, group, topic, partition):
        return self.committed

    def read_through(self, topic, partition, last):
        yield from self.batches


@dataclass
class Writer:
    log: Log
    committed: list = field(default_factory=list)

    def fence(self):
        self.log.asked.append("fence")

    def commit(self, messages):
        self.committed += messages


def takeover(log, writer=None, **changes):
    made = {
        "log": log, "app_id": "app", "topic": TOPIC, "audit_topic": AUDIT, "changelog_topic": CHANGELOG, "audit_schema_id": 3,
        "start": Start("earliest"), "warmup_s": 0, "writer": lambda _: writer or Writer(log), "versions": {}, "clock": ManualClock(0),
    }  # fmt: skip
    return Takeover(**made | changes)


def audit_tail(start=0, topic_id="topic-id", topic=TOPIC):
    """A partition whose audit log ends with a block of no records; reading begins at `start`."""
    value, _ = genesis_block(
        app_id="app", topic=topic, topic_id=topic_id, partition=0, start=start, alerts_from_offset=0, versions={}, schema_id=3
    )  # fmt: skip
    return Tail(0, None, value, 0)


def test_the_fence_comes_before_anything_is_read():
    log = Log({AUDIT: audit_tail()})
    takeover(log).take(0)
    assert log.asked[0] == "fence"
    assert log.asked.count("fence") == 1
    assert f"tail of {AUDIT}" in log.asked[1:]
    assert f"tail of {CHANGELOG}" in log.asked[1:]


def test_a_new_installation_gets_its_genesis_block_in_the_audit_partition_of_that_number():
    log = Log(marks=(40, 100))
    writer = Writer(log)
    taken = takeover(log, writer).take(7)
    assert [(m.topic, m.partition) for m in writer.committed] == [(AUDIT, 7)]
    assert taken.position.last_offset == 39
    assert taken.position.topic_id == "topic-id"
    assert taken.changelog_end == -1


def test_a_partition_is_taken_where_its_audit_log_ends_and_nothing_is_written():
    log = Log({AUDIT: audit_tail(start=12)})
    writer = Writer(log)
    assert takeover(log, writer).take(0).position.last_offset == 11
    assert not writer.committed


@pytest.mark.parametrize("committed", [1, 5_000])
def test_an_empty_audit_log_of_a_group_that_has_decided_is_refused(committed):
    with pytest.raises(TopicError, match=rf"group app has decided .* up to offset {committed}"):
        takeover(Log(committed=committed)).take(0)


@pytest.mark.parametrize("committed", [None, 0])
def test_an_empty_audit_log_of_a_group_that_has_decided_nothing_is_a_new_installation(committed):
    assert takeover(Log(committed=committed)).take(0).position.height == 0


def test_an_empty_audit_log_beside_a_changelog_is_refused():
    with pytest.raises(TopicError, match="the audit log was lost or renamed"):
        takeover(Log({CHANGELOG: Tail(4, b"a", b"v", 0)})).take(0)


def test_a_changelog_that_ends_with_what_no_block_wrote_is_refused():
    log = Log({AUDIT: audit_tail(), CHANGELOG: Tail(4, b"a", b"v", 0)})
    with pytest.raises(TopicError, match=r"changelog\[0\] ends at offset 4 with b'a'"):
        takeover(log).take(0)


def test_a_tombstone_at_the_end_of_the_changelog_says_nothing():
    log = Log({AUDIT: audit_tail(), CHANGELOG: Tail(4, b"a", None, 0)})
    assert takeover(log).take(0).changelog_end == 4


def test_the_digest_of_the_last_message_tells_key_from_value():
    assert changelog_tail(b"ab", b"c") != changelog_tail(b"a", b"bc")


def test_a_topic_made_anew_is_refused():
    with pytest.raises(TopicError, match="It was re-created"):
        takeover(Log({AUDIT: audit_tail(topic_id="another")})).take(0)


def test_an_audit_log_of_another_topic_is_refused():
    with pytest.raises(TopicError, match="the audit log is of payments"):
        takeover(Log({AUDIT: audit_tail(topic="payments")})).take(0)


def test_a_truncated_topic_is_refused():
    with pytest.raises(TopicError, match="ends at 100, but offset 100 was decided"):
        takeover(Log({AUDIT: audit_tail(start=101)})).take(0)


def test_a_topic_that_ends_right_behind_what_was_decided_is_whole():
    assert takeover(Log({AUDIT: audit_tail(start=100)})).take(0).position.last_offset == 99


def test_retention_that_took_undecided_records_is_a_loss():
    with pytest.raises(GapError, match="retention took 10 offsets"):
        takeover(Log({AUDIT: audit_tail(start=20)}, marks=(30, 100))).take(0)


def test_a_worker_that_hung_between_two_reads_finds_itself_fenced_and_not_the_state_lost():
    log = Log({AUDIT: audit_tail()})

    def successor_writes(point):
        if point == "tails_read":
            log.tails[AUDIT] = Tail(5, None, audit_tail(start=50).value, 0)

    log.tails[CHANGELOG] = Tail(4, b"a", b"v", 0)  # what the successor's run wrote
    with pytest.raises(FencedError, match="another worker owns it now"):
        takeover(log, reach=successor_writes).take(0)


def test_a_worker_that_saw_half_of_a_commit_is_fenced_behind_one_more_fence():
    """The marker of the audit log was written, that of the changelog was not: reading again shows the same, until a fence has waited."""
    log = Log({AUDIT: audit_tail(), CHANGELOG: Tail(4, b"a", b"v", 0)})

    class Fence(Writer):
        def fence(self):
            super().fence()
            if log.asked.count("fence") == 2:
                log.tails[CHANGELOG] = Tail(9, b"b", b"w", 0)

    with pytest.raises(FencedError, match="another worker owns it now"):
        takeover(log, Fence(log)).take(0)


def test_a_broker_that_does_not_answer_is_no_contradiction_and_fences_nobody_again():
    log = Log({AUDIT: audit_tail()})

    def silent(topic, partition):
        raise BrokerError("no answer")

    log.watermarks = silent
    with pytest.raises(BrokerError, match="no answer"):
        takeover(log).take(0)
    assert log.asked.count("fence") == 1


def test_an_altered_block_at_the_tail_is_refused():
    tail = audit_tail()
    altered = tail.value[:-1] + bytes([tail.value[-1] ^ 1])
    with pytest.raises(ProtocolError):
        takeover(Log({AUDIT: Tail(0, None, altered, 0)})).take(0)


def test_a_load_that_is_no_longer_wanted_ends_between_two_batches():
    read = []

    def batches():
        for number in range(10):
            read.append(number)
            yield [], []

    log = Log(batches=batches())
    takeover(log).load(0, 5, lambda: len(read) < 3)
    assert read == [0, 1, 2]


def test_the_points_are_passed_in_the_order_of_the_protocol():
    passed = []
    takeover(Log({AUDIT: audit_tail()}), reach=passed.append).take(0)
    assert passed == ["fenced", "tails_read", "taken"]


def test_a_topic_that_has_another_id_than_before_was_made_anew():
    asked = takeover(Log())
    assert asked.check_topic(None) == asked.check_topic("") == asked.check_topic("topic-id") == "topic-id"
    with pytest.raises(TopicError, match="It was re-created"):
        asked.check_topic("another")


def test_the_audit_log_ends_with_our_block_until_somebody_else_decides():
    log = Log({AUDIT: audit_tail()})
    ours = takeover(log).take(0).position
    assert takeover(log).is_last(ours)
    log.tails[AUDIT] = audit_tail(start=7)
    assert not takeover(log).is_last(ours)
    del log.tails[AUDIT]
    assert not takeover(log).is_last(ours)
