"""How to talk to Kafka, from the settings: librdkafka's properties, and the TLS context and credentials that Faust takes.

Both clients get the same protection or none starts: `faust.SASLCredentials` without a context would silently mean plaintext.
"""

import logging
import ssl
from typing import Any

from faust import SASLCredentials, SSLCredentials
from faust.auth import Credentials

from monitor.errors import SettingsError
from monitor.settings import Settings

AUDIT_MAX_BYTES = 8 << 20
"""Largest audit block: `max.message.bytes` of the audit topic."""

MESSAGE_OVERHEAD_BYTES = 64 << 10
"""On top of a value: key, headers and the framing of its batch."""

TRANSACTION_MARGIN_S = 30.0
"""The broker aborts a transaction this long after the worker gave it up: never before, or its result would be a surprise."""

PARTITIONER = "murmur2_random"
"""Java's, and aiokafka's. librdkafka's own default (CRC32) would put an account into another partition."""

_LOGGER = logging.getLogger("monitor.kafka")


def client_config(settings: Settings) -> dict[str, Any]:
    """The properties that all of librdkafka's clients share. Its log goes to the logger `monitor.kafka`."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.brokers,
        "client.id": settings.app_id,
        "security.protocol": settings.security_protocol,
        "logger": _LOGGER,
    }
    files = {
        "ssl.ca.location": settings.ssl_ca,
        "ssl.certificate.location": settings.ssl_certificate,
        # A certificate's file may hold the key as well.
        "ssl.key.location": settings.ssl_key or settings.ssl_certificate,
    }
    config.update((name, str(path)) for name, path in files.items() if path is not None)
    if settings.security_protocol.startswith("SASL"):
        config["sasl.mechanism"] = settings.sasl_mechanism
        config["sasl.username"] = settings.sasl_username
        config["sasl.password"] = settings.sasl_password.get_secret_value() if settings.sasl_password else None
    return config


def admin_config(settings: Settings) -> dict[str, Any]:
    """For `AdminClient`. Its failures are results, so what librdkafka would log besides is dropped."""
    return client_config(settings) | {"log_level": 0}


def producer_config(settings: Settings) -> dict[str, Any]:
    """For `Producer`: idempotent, and with Java's partitioner. Transactions are added by who runs them."""
    return client_config(settings) | {
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": PARTITIONER,
        "message.max.bytes": largest_message_bytes(settings),
    }


def consumer_config(settings: Settings, group: str) -> dict[str, Any]:
    """For `Consumer`: sees committed transactions only, never commits by itself, and says when a partition ends."""
    return client_config(settings) | {
        "group.id": group,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
    }


def transaction_timeout_ms(settings: Settings) -> int:
    """How long the broker keeps a transaction open; the broker's `transaction.max.timeout.ms` must allow it."""
    return int((settings.commit_timeout_s + TRANSACTION_MARGIN_S) * 1000)


def dlq_message_bytes(settings: Settings) -> int:
    """`max.message.bytes` that the dead-letter topic needs."""
    return settings.dlq_max_bytes + MESSAGE_OVERHEAD_BYTES


def largest_message_bytes(settings: Settings) -> int:
    """Largest message any of our producers sends."""
    return max(dlq_message_bytes(settings), AUDIT_MAX_BYTES)


def ssl_context(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context for aiokafka, or None when security_protocol does not encrypt. Raises `SettingsError`.

    Brokers' names and certificates are always checked, against `ssl_ca` or else against the system's authorities.
    """
    if not settings.security_protocol.endswith("SSL"):
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=settings.ssl_ca)
    except OSError as error:
        raise SettingsError(f"ssl_ca = {settings.ssl_ca}: {_reason(error)}; name a readable file of PEM") from None
    if settings.ssl_certificate is not None:
        try:
            context.load_cert_chain(settings.ssl_certificate, settings.ssl_key)
        except OSError as error:
            raise SettingsError(
                f"ssl_certificate = {settings.ssl_certificate}, ssl_key = {settings.ssl_key}: {_reason(error)}; "
                "name readable PEM files that belong together"
            ) from None
    return context


def faust_credentials(settings: Settings) -> Credentials | None:
    """Faust's `broker_credentials`, None for PLAINTEXT. Raises `SettingsError`, also when Faust would not encrypt what we asked for."""
    context = ssl_context(settings)
    credentials: Credentials | None = None
    if settings.security_protocol.startswith("SASL"):
        credentials = SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password.get_secret_value() if settings.sasl_password else None,
            ssl_context=context,
            mechanism=settings.sasl_mechanism,
        )
    elif context is not None:
        credentials = SSLCredentials(context)
    used = credentials.protocol.value if credentials is not None else "PLAINTEXT"
    if used != settings.security_protocol:
        raise SettingsError(f"security_protocol = {settings.security_protocol}: Faust would use {used}; not started")
    return credentials


def faust_brokers(settings: Settings, scheme: str) -> str:
    """Faust's `broker`: the bootstrap servers as URLs of a transport, such as `runs://HOST:PORT`."""
    return ";".join(f"{scheme}://{address}" for address in settings.brokers.split(","))


def _reason(error: OSError) -> str:
    return error.strerror or (error.reason if isinstance(error, ssl.SSLError) else None) or str(error)
