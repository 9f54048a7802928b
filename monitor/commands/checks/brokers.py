"""Does Kafka answer, and do its limits allow what the settings ask for?"""

import time
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource

from monitor.commands.checks.finding import Finding, fail, ok, skip
from monitor.settings import Settings
from monitor.wire.kafka_config import admin_config, transaction_timeout_ms

TIMEOUT_S = 10.0


class Connection:
    """An admin client that remembers why connections failed: a request itself only ever says that it timed out."""

    def __init__(self, settings: Settings) -> None:
        self.errors: list[str] = []
        self.admin = AdminClient(admin_config(settings) | {"error_cb": self._note})

    def _note(self, error: KafkaError) -> None:
        self.errors.append(error.str())

    @property
    def why(self) -> str:
        """The first cause librdkafka named, if any."""
        self.admin.poll(0)  # callbacks are called here, and nowhere else
        named = [text for text in self.errors if "brokers are down" not in text]
        return (named or self.errors or ["no answer"])[0]


def check_brokers(connection: Connection, settings: Settings, timeout_s: float = TIMEOUT_S) -> tuple[Finding, int]:
    """Whether the cluster answers, and the number of its brokers: 0 when it does not."""
    began = time.monotonic()
    try:
        cluster = connection.admin.describe_cluster(request_timeout=timeout_s).result(timeout_s + 5)
    except (KafkaException, TimeoutError):
        took = time.monotonic() - began
        fix = "check brokers, the network and security_protocol; is Kafka running?"
        return fail("brokers", f"{settings.brokers}: {connection.why} (after {took:.0f} s)", fix), 0
    count = len(cluster.nodes)
    took_ms = (time.monotonic() - began) * 1000
    what = (
        f"{settings.brokers}: {count} broker{'s' * (count != 1)} over {settings.security_protocol}, in {took_ms:.0f} ms"
    )
    return ok("brokers", what), count


def check_limits(connection: Connection, settings: Settings, timeout_s: float = TIMEOUT_S) -> Finding:
    """Do the broker's limits on transactions and sessions allow ours?"""
    try:
        cluster = connection.admin.describe_cluster(request_timeout=timeout_s).result(timeout_s + 5)
        resource = ConfigResource(ConfigResource.Type.BROKER, str(cluster.nodes[0].id))
        described = connection.admin.describe_configs([resource], request_timeout=timeout_s)[resource]
        limits = {name: entry.value for name, entry in described.result(timeout_s + 5).items()}
    except KafkaException as error:
        return skip("limits", f"the broker does not tell its settings ({error.args[0].str()})")
    except TimeoutError:
        return skip("limits", f"the broker did not tell its settings in {timeout_s:.0f} s")
    return judge_limits(limits, settings)


def judge_limits(limits: Mapping[str, str | None], settings: Settings) -> Finding:
    """The finding for a broker's settings by name; those it does not have are taken as met."""
    ours_ms, session_ms = transaction_timeout_ms(settings), settings.session_timeout_s * 1000
    most_ms = float(limits.get("transaction.max.timeout.ms") or "inf")
    if ours_ms > most_ms:
        what = f"commit_timeout_s = {settings.commit_timeout_s} needs transactions of {ours_ms} ms; the broker allows {most_ms:.0f}"
        return fail("limits", what, "lower commit_timeout_s, or raise transaction.max.timeout.ms of the brokers")
    low, high = (limits.get(f"group.{end}.session.timeout.ms") for end in ("min", "max"))
    if not float(low or 0) <= session_ms <= float(high or "inf"):
        what = f"session_timeout_s = {settings.session_timeout_s} is outside the broker's {low} to {high} ms"
        return fail("limits", what, "set session_timeout_s within the broker's limits")
    return ok("limits", f"transactions of {ours_ms} ms and sessions of {session_ms:.0f} ms are allowed")
