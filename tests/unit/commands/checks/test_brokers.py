"""What the doctor says of the brokers."""

import pytest

from monitor.commands.checks.brokers import Connection, check_brokers, judge_limits
from monitor.embedded.mock import MockCluster
from monitor.embedded.process import free_ports
from monitor.settings import Settings

BROKER = {
    "transaction.max.timeout.ms": "900000",
    "group.min.session.timeout.ms": "6000",
    "group.max.session.timeout.ms": "1800000",
}


def test_a_port_that_nobody_listens_on_fails_with_the_cause():
    (port,) = free_ports(1)
    settings = Settings(brokers=f"127.0.0.1:{port}")
    finding, count = check_brokers(Connection(settings), settings, timeout_s=1)
    assert (finding.status, count) == ("fail", 0)
    assert "refused" in finding.what


def test_a_broker_that_answers_is_ok():
    with MockCluster(brokers=3) as mock:
        settings = Settings(brokers=mock.bootstrap)
        finding, count = check_brokers(Connection(settings), settings)
        assert (finding.status, count) == ("ok", 3)


def test_the_default_settings_are_within_the_default_limits():
    assert judge_limits(BROKER, Settings()).status == "ok"


def test_limits_that_a_broker_does_not_have_are_met():
    assert judge_limits({}, Settings()).status == "ok"


@pytest.mark.parametrize(
    ("limit", "value", "fix"),
    [
        ("transaction.max.timeout.ms", "59999", "lower commit_timeout_s"),
        ("group.min.session.timeout.ms", "30001", "set session_timeout_s"),
        ("group.max.session.timeout.ms", "29999", "set session_timeout_s"),
    ],
)
def test_a_broker_that_would_refuse_ours_fails(limit, value, fix):
    finding = judge_limits(BROKER | {limit: value}, Settings())
    assert finding.status == "fail"
    assert fix in finding.fix
