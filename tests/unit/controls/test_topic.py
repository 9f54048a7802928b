"""Following the topic of controls, on librdkafka's mock cluster; the rest is in tests/integration/test_controls.py."""

import threading

import pytest
from confluent_kafka import Producer

from monitor.controls import topic as topic_module
from monitor.controls.record import Signed
from monitor.controls.topic import ControlsFollower, controls_records, not_kept_whole, write_controls
from monitor.embedded.mock import MockCluster
from monitor.embedded.process import free_ports
from monitor.errors import BrokerError, TopicError
from monitor.settings import Settings
from monitor.wire.kafka_config import producer_config
from monitor.wire.topics import TopicFacts
from tests.unit.controls.conftest import NOBODY, NOW, control, record

MADE = [control("rail"), control("override"), control("rail", state="open", created_at=NOW + 1)]


@pytest.fixture
def mock():
    with MockCluster() as cluster:
        yield cluster


@pytest.fixture
def settings(mock):
    return Settings(brokers=mock.bootstrap)


@pytest.fixture
def follower(settings):
    made = ControlsFollower(settings, NOBODY)
    yield made
    made.close()


@pytest.fixture
def topic(mock, settings):
    mock.create_topic(settings.topic_controls, 1)
    return settings.topic_controls


@pytest.mark.usefixtures("topic")
def test_what_is_written_is_followed_and_read_whole(settings, follower):
    assert not follower.look()
    assert (follower.problem, follower.book.version) == (None, "")
    assert write_controls(settings, [Signed(each) for each in MADE[:2]]) == [0, 1]
    assert follower.look()
    assert not follower.look()
    assert write_controls(settings, [Signed(MADE[2])]) == [2]
    assert follower.look()
    assert follower.controls.rails == {"card": "open"}
    assert [(offset, key) for offset, key, _ in controls_records(settings)] == [
        (at, each.key.encode()) for at, each in enumerate(MADE)
    ]
    again = ControlsFollower(settings, NOBODY)
    assert again.look()
    assert again.controls == follower.controls
    again.close()


def test_a_topic_that_is_missing_is_told_and_taken_when_it_is_there(mock, settings, follower):
    assert not follower.look()
    assert "topic controls" in follower.problem
    assert follower.book.version == ""
    mock.create_topic(settings.topic_controls, 1)
    write_controls(settings, [Signed(MADE[0])])
    assert follower.look()
    assert follower.problem is None


@pytest.mark.usefixtures("topic")
def test_what_is_passed_over_is_told_and_what_follows_is_taken(settings, follower):
    producer = Producer(producer_config(settings))
    producer.produce(settings.topic_controls, b"no control", b"rail/card", 0)
    key, value = record(MADE[0])
    producer.produce(settings.topic_controls, value, key, 0)
    assert producer.flush(10) == 0
    assert follower.look()
    assert follower.book.refusals == 1
    assert follower.book.controls.rails == {"card": "walled"}


@pytest.mark.usefixtures("topic")
def test_while_the_broker_is_away_the_controls_known_go_on(mock, settings, follower, monkeypatch):
    write_controls(settings, [Signed(MADE[0])])
    assert follower.look()
    version = follower.book.version
    monkeypatch.setattr(topic_module, "ANSWER_S", 0.5)
    mock.down()
    assert not follower.look()
    assert "going on with the controls known" in follower.problem
    assert follower.book.version == version
    mock.up()
    while follower.problem is not None:
        follower.look()
    assert follower.book.controls.rails == {"card": "walled"}


def test_who_reads_a_topic_that_is_missing_is_told_so(settings):
    with pytest.raises(TopicError, match="controls"):
        list(controls_records(settings))


def test_what_is_not_acknowledged_is_an_error(settings, monkeypatch):
    monkeypatch.setattr(topic_module, "WRITTEN_S", 0.2)
    nobody_there = settings.model_copy(update={"brokers": f"127.0.0.1:{free_ports(1)[0]}"})
    with pytest.raises(BrokerError, match="1 of 1 not acknowledged"):
        write_controls(nobody_there, [Signed(MADE[0])])


@pytest.mark.usefixtures("topic")
def test_a_topic_that_was_not_read_to_its_end_gives_nothing_that_was_withdrawn_later(mock, settings, monkeypatch):
    rails = [control("rail", created_at=NOW + at, withdrawn=at == 5) for at in range(6)]
    write_controls(settings, [Signed(each) for each in rails])
    monkeypatch.setattr(topic_module, "AT_ONCE", 2)
    follower = ControlsFollower(settings, NOBODY, lambda: next(clock))
    take, clock = follower._take, iter(range(0, 1_000_000, 10))

    def taken_until(last):
        """The broker goes silent behind that record."""
        monkeypatch.setattr(follower, "_take", lambda message: take(message) if message.offset() <= last else None)

    taken_until(1)
    assert not follower.look()
    assert follower.book.controls.rails == {"card": "walled"}, "so it was, in the middle of the topic"
    assert (follower.controls.version, set(follower.counts.values())) == ("", {0})
    assert "read up to 2 of 6, then nothing for" in follower.problem
    taken_until(5)
    assert follower.look(), "it goes on where it was, however many reads it takes"
    assert follower.problem is None
    assert (follower.controls, dict(follower.controls.rails)) == (follower.book.controls, {})
    follower.close()


@pytest.mark.usefixtures("topic")
def test_a_follower_that_is_closed_reads_no_further(settings, follower, monkeypatch):
    write_controls(settings, [Signed(each) for each in MADE])
    monkeypatch.setattr(topic_module, "AT_ONCE", 1)
    closing = threading.Thread(target=follower.close)
    take = follower._take

    def closed_meanwhile(message):
        closing.start()
        assert follower._leaving.wait(30)
        take(message)

    monkeypatch.setattr(follower, "_take", closed_meanwhile)
    assert not follower.look()
    closing.join()
    assert "read up to 1 of 3 when the worker was stopped" in follower.problem
    assert follower.controls.version == ""
    assert not follower.look(), "nor does it begin again"


def test_a_topic_that_was_made_anew_is_taken_from_its_beginning(mock, settings, topic, follower, caplog):
    write_controls(settings, [Signed(each) for each in MADE[:2]])
    assert follower.look()
    mock.create_topic("anew", 1)
    anew = settings.model_copy(update={"topic_controls": "anew"})
    wallet = control("rail", rail="wallet", created_at=NOW + 9)
    write_controls(anew, [Signed(each) for each in (wallet, MADE[2], MADE[1])])
    follower._topic = "anew"  # of the same name, to all that a follower sees
    assert follower.look()
    assert follower.controls.rails == {"card": "open", "wallet": "walled"}
    assert "controls topic made anew" in caplog.messages
    fresh = ControlsFollower(anew, NOBODY)
    fresh.look()
    assert fresh.controls == follower.controls
    fresh.close()


@pytest.mark.usefixtures("topic")
def test_of_a_burst_of_refusals_the_first_is_logged_and_all_are_counted(settings, caplog):
    stale = control("rail", created_at=NOW - 1)
    write_controls(settings, [Signed(each) for each in (control("rail"), stale, stale, stale)])
    follower = ControlsFollower(settings, NOBODY)
    follower._monotonic_s = lambda: 7.0
    assert follower.look()
    assert caplog.messages.count("control refused") == 1
    follower._monotonic_s = lambda: 8.0
    write_controls(settings, [Signed(stale), Signed(stale)])
    assert follower.look()
    assert (caplog.messages.count("control refused"), follower.refusals) == (2, 5)
    follower.close()


@pytest.mark.usefixtures("topic")
def test_a_topic_that_is_compacted_is_a_problem_that_stays(settings):
    facts = TopicFacts("controls", True, 1, 1, "id", {"cleanup.policy": "compact,delete"})
    follower = ControlsFollower(settings, NOBODY, not_whole=not_kept_whole(facts))
    write_controls(settings, [Signed(MADE[0])])
    assert follower.look()
    assert not follower.look()
    assert "cleanup.policy = compact,delete" in follower.problem
    follower.close()


@pytest.mark.parametrize("config", [None, {}, {"cleanup.policy": "delete"}])
def test_a_topic_that_keeps_all_is_no_problem(config):
    assert not_kept_whole(TopicFacts("controls", True, 1, 1, "id", config)) is None
