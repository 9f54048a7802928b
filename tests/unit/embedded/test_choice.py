"""The choice of a broker, and the words for it."""

import pytest

from monitor.embedded import choice
from monitor.embedded.choice import choose
from monitor.embedded.kafka import Availability
from monitor.errors import BrokerError


@pytest.fixture
def _no_java(monkeypatch):
    monkeypatch.setattr(choice, "available", lambda: Availability(False, "no Java 17 or newer"))


def test_a_broker_given_by_address_is_used_as_it_is_and_never_stopped():
    with choose("127.0.0.1:9092") as broker:
        assert (broker.kind, broker.bootstrap, broker.real) == ("external", "127.0.0.1:9092", True)


@pytest.mark.usefixtures("_no_java")
def test_without_java_auto_takes_the_mock_and_says_why():
    with choose("auto") as broker:
        assert (broker.kind, broker.real) == ("mock", False)
        assert "no Java 17 or newer" in broker.why


@pytest.mark.usefixtures("_no_java")
def test_a_kafka_asked_for_by_name_is_never_replaced_by_the_mock():
    with pytest.raises(BrokerError, match="no Java 17 or newer"):
        choose("kafka")


def test_the_mock_makes_topics_that_no_client_could_make():
    with choose("mock") as broker:
        broker.create_topic("transactions", 2)
        with pytest.raises(BrokerError, match="topic transactions"):
            broker.create_topic("transactions", 2)


def test_a_word_that_is_no_broker_is_refused_with_the_words_that_are():
    with pytest.raises(BrokerError, match="auto, kafka, mock or HOST:PORT"):
        choose("kafak")
