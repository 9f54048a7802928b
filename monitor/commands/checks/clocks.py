"""Is this machine's clock right? Events further ahead of it than `future_skew_s` are dead-lettered.

Kafka's protocol tells no time. What can be compared without writing anything: the `Date` of an answer of the schema registry
(to a second), and the newest record of transactions, whose time is the producer's, or the broker's under LogAppendTime. An
old record says nothing; one from the future says that somebody's clock is wrong.
"""

from email.utils import parsedate_to_datetime

import httpx
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from monitor.clock import Clock
from monitor.commands.checks.brokers import Connection
from monitor.commands.checks.finding import Finding, fail, ok, skip, warn
from monitor.settings import Settings

CHECK = "clock"
TOLERATED_MS = 5_000
TIMEOUT_S = 5.0
FIX = "run NTP (chrony, systemd-timesyncd) on this machine and on the producers"


def check_clock(connection: Connection, settings: Settings, clock: Clock, partitions: int) -> Finding:
    """Compare this machine's clock with the schema registry's and with the newest transaction's."""
    ahead_ms = {
        "the schema registry": registry_ahead_ms(settings, clock),
        "the newest transaction": newest_ahead_ms(connection, settings, clock, partitions),
    }
    return judge_clock({who: by for who, by in ahead_ms.items() if by is not None}, settings.future_skew_s * 1000)


def judge_clock(ahead_ms: dict[str, int], future_skew_ms: int) -> Finding:
    """The finding for how far ahead of us each source is, in milliseconds; below 0: behind. A transaction may be old."""
    if not ahead_ms:
        return skip(CHECK, "nothing to compare with: no schema registry and no transactions")
    for who, ahead in ahead_ms.items():
        far = ahead > TOLERATED_MS if who == "the newest transaction" else abs(ahead) > TOLERATED_MS
        if far:
            what = f"{who} is {abs(ahead) / 1000:.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine"
            if ahead > future_skew_ms:
                return fail(CHECK, f"{what}: beyond future_skew_s, such events are dead-lettered", FIX)
            return warn(CHECK, what, FIX)
    measured = ", ".join(
        f"{who} {'is not ahead' if ahead <= 0 and who == 'the newest transaction' else f'{ahead / 1000:+.1f} s'}"
        for who, ahead in ahead_ms.items()
    )
    return ok(CHECK, f"compared with this machine: {measured}")


def registry_ahead_ms(settings: Settings, clock: Clock) -> int | None:
    """How far the registry's clock is ahead of ours, to a second; None without a registry, an answer or a date."""
    if settings.schema_registry_url is None:
        return None
    try:
        date = httpx.get(settings.schema_registry_url, timeout=TIMEOUT_S).headers.get("Date")
        told = parsedate_to_datetime(date) if date else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    # The header is cut to the second: its middle is the best guess.
    return None if told is None else int(told.timestamp() * 1000) + 500 - clock.now_ms()


def newest_ahead_ms(connection: Connection, settings: Settings, clock: Clock, partitions: int) -> int | None:
    """How far the newest transaction's timestamp is ahead of ours; None when there is none, or the broker cannot say."""
    newest_of: OffsetSpec = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
    wanted = {TopicPartition(settings.topic_transactions, partition): newest_of for partition in range(partitions)}
    if not wanted:
        return None
    try:
        futures = connection.admin.list_offsets(wanted, request_timeout=TIMEOUT_S).values()
        newest = max(future.result(TIMEOUT_S + 5).timestamp for future in futures)
    except (KafkaException, TimeoutError):
        return None
    return None if newest < 0 else int(newest) - clock.now_ms()
