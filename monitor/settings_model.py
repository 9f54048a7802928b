"""The settings themselves: one field each, and what must hold between them. `monitor/settings.py` reads them from their sources."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, field_validator, model_validator

from monitor.failpoints import parse_failpoints
from monitor.resources import shipped
from monitor.settings_artifacts import ArtifactSettings
from monitor.settings_rails import RailSettings
from monitor.settings_topics import TOPICS, TopicSettings
from monitor.wire.start import parse_start

UNSAFE_HASH_KEY = "00" * 16
"""The default: anyone can compute the hashes it makes, so it is for trying things out only."""


class Settings(RailSettings, ArtifactSettings, TopicSettings):
    """One field a setting; its description is what `monitor config show` and docs/settings.md print."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    # who and where
    app_id: str = Field(
        "fraud-monitor",
        pattern=r"^[A-Za-z0-9._-]{1,100}$",
        description="Name of this installation: consumer group, transactional ids and changelog topic carry it.",
    )
    brokers: str = Field(
        "127.0.0.1:9092", min_length=1, description="Kafka bootstrap servers, HOST:PORT, comma-separated."
    )
    schema_registry_url: str | None = Field(
        None,
        examples=["http://127.0.0.1:8081"],
        description="Base URL of a Confluent-compatible Schema Registry; unset: the files of schemas_dir.",
    )
    schema_registry_user: str | None = Field(
        None, examples=["monitor"], description="User name for the registry (HTTP basic)."
    )
    schema_registry_password: SecretStr | None = Field(
        None, examples=["secret"], description="Password for the registry."
    )
    schema_auto_register: bool = Field(
        True, description="Register our own schemas in the registry when they are missing."
    )
    schemas_dir: Path = Field(
        default_factory=lambda: shipped("schemas"), description="Directory of .avsc files and ids.json."
    )
    data_dir: Path = Field(
        Path("data"),
        description="Directory for what the process may write locally; nothing in it is needed after a crash.",
    )
    http_bind: str = Field(
        "127.0.0.1:8080",
        pattern=r"^.+:\d{1,5}$",
        description="Address of /metrics, /live, /ready and /rails, HOST:PORT; port 0 picks a free one.",
    )
    # start
    start: str = Field(
        "earliest",
        description="Where a new installation begins: earliest, latest, or a time such as 2026-01-31T00:00:00Z.",
    )
    warmup_s: int = Field(
        0, ge=0, description="Seconds of record time before the start that build state without alerting."
    )
    # bounds
    max_run_records: int = Field(32_768, ge=1, le=65_536, description="Most records decided in one transaction.")
    max_queue_records: int = Field(
        65_536, ge=1, description="Records that may wait for a partition before fetching pauses."
    )
    fetch_max_bytes: int = Field(
        2 << 20, ge=1024, description="Most bytes one fetch takes from one partition, as compressed."
    )
    max_value_bytes: int = Field(1 << 20, ge=1024, description="A larger value is dead-lettered.")
    dlq_max_bytes: int = Field(
        8 << 20,
        ge=1024,
        description="Largest message the dead-letter topic takes; beyond it a digest and the position stand for the bytes.",
    )
    max_amount_minor: int = Field(
        10**15, ge=1, le=2**53, description="Largest amount, in minor units of its own and of the base currency."
    )
    alert_cooldown_s: int = Field(
        300,
        ge=0,
        le=86_400,
        description="After an alert of an account its further reviews are withheld for so long and counted, by the payments' own time; 0: never.",
    )
    future_skew_s: int = Field(300, ge=0, description="How far ahead of the clock an event may be.")
    idle_ttl_days: int = Field(400, ge=1, description="An account silent this long by its own event times starts anew.")
    exchange_rates: Path | None = Field(
        None, examples=["rates.toml"], description="Exchange table (TOML); unset: the shipped one."
    )
    hash_key: SecretStr = Field(
        SecretStr(UNSAFE_HASH_KEY),
        description="128-bit key (32 hex digits) of all string hashes; set it once, in production, and never change it.",
    )
    # time
    commit_timeout_s: float = Field(
        30.0, gt=0, le=600, description="How long a transaction may take before the worker leaves with exit code 75."
    )
    session_timeout_s: float = Field(
        30.0, ge=6, description="Silence after which Kafka takes a worker's partitions away."
    )
    heartbeat_s: float = Field(
        1.0,
        gt=0,
        description="Time between heartbeats to the group's coordinator: so long may a worker take to learn of a rebalance, while the others wait.",
    )
    poll_interval_s: float = Field(
        300.0, ge=10, description="Longest time between two fetches before the worker leaves the group."
    )
    recovery_timeout_s: float = Field(
        600.0, ge=10, description="Longest time the state of the assigned partitions may take to load."
    )
    shed_after_s: float = Field(
        60.0,
        ge=0,
        description="Alerts of a run leave out the model's explanation when more than half of its records have waited longer than this; 0: they never do.",
    )
    # security
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"] = Field(
        "PLAINTEXT", description="How to talk to Kafka."
    )
    allow_plaintext: bool = Field(
        False, description="Permit unencrypted traffic to brokers that are not on loopback: for development."
    )
    ssl_ca: Path | None = Field(
        None, examples=["ca.pem"], description="CA certificates (PEM) that the brokers are checked against."
    )
    ssl_certificate: Path | None = Field(None, examples=["client.pem"], description="Client certificate (PEM).")
    ssl_key: Path | None = Field(None, examples=["client.key"], description="Client key (PEM).")
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, examples=["SCRAM-SHA-512"], description="SASL mechanism."
    )
    sasl_username: str | None = Field(None, examples=["monitor"], description="SASL user.")
    sasl_password: SecretStr | None = Field(None, examples=["secret"], description="SASL password.")
    # what people see
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line written."
    )
    log_format: Literal["json", "text"] = Field("json", description="json: one object a line; text: for people.")
    failpoints: str = Field(
        "",
        examples=["run_committed:kill:20"],
        description="Tests of crashes only: POINT:ACTION:COUNT, commas between; points are in monitor/failpoints.py.",
    )

    @field_validator("hash_key")
    @classmethod
    def _hex_key(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value()) != 32 or not all(c in "0123456789abcdefABCDEF" for c in key.get_secret_value()):
            raise ValueError("must be 32 hex digits, for example from `openssl rand -hex 16`")
        return key

    @field_validator("brokers")
    @classmethod
    def _addresses(cls, value: str) -> str:
        for address in value.split(","):
            host, _, port = address.strip().rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise ValueError(f"{address.strip()!r} must be HOST:PORT")
        return value.replace(" ", "")

    @field_validator(*TOPICS)
    @classmethod
    def _topic_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", value) or value in (".", ".."):
            raise ValueError("must be 1 to 249 of A-Z a-z 0-9 . _ -, as Kafka has it")
        return value

    @field_validator("start")
    @classmethod
    def _start(cls, value: str) -> str:
        parse_start(value)
        return value

    @field_validator("failpoints")
    @classmethod
    def _failpoints(cls, value: str) -> str:
        parse_failpoints(value)
        return value

    @field_validator("schema_registry_url")
    @classmethod
    def _url(cls, url: str | None) -> str | None:
        parts = urlsplit(url or "http://unset")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a URL such as https://registry.example:8081")
        if parts.username or parts.password:
            raise ValueError("must not carry a password: use schema_registry_user and schema_registry_password")
        return url

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if self.commit_timeout_s >= self.poll_interval_s:
            raise ValueError(
                f"commit_timeout_s {self.commit_timeout_s} must be below poll_interval_s {self.poll_interval_s}"
            )
        if self.heartbeat_s >= self.session_timeout_s:
            raise ValueError(
                f"heartbeat_s {self.heartbeat_s} must be below session_timeout_s {self.session_timeout_s}: a third of it"
            )
        self._check_topics()
        self._check_security()
        return self

    def _check_topics(self) -> None:
        roles: dict[str, str] = {}
        for role in (*TOPICS, "changelog_topic"):
            name = getattr(self, role)
            if name in roles:
                raise ValueError(f"{role} {name!r} is {roles[name]} already: give each a topic of its own")
            roles[name] = role

    def _check_security(self) -> None:
        sasl, encrypted = self.security_protocol.startswith("SASL"), self.security_protocol.endswith("SSL")
        if sasl and not (self.sasl_mechanism and self.sasl_username and self.sasl_password):
            raise ValueError(
                f"security_protocol {self.security_protocol} needs sasl_mechanism, sasl_username and sasl_password"
            )
        if not sasl and (self.sasl_mechanism or self.sasl_username or self.sasl_password):
            raise ValueError(
                f"security_protocol {self.security_protocol} would not use sasl_*: set SASL_SSL, or remove them"
            )
        if not encrypted and (self.ssl_ca or self.ssl_certificate or self.ssl_key):
            raise ValueError(
                f"security_protocol {self.security_protocol} would not use ssl_*: set SSL or SASL_SSL, or remove them"
            )
        if self.ssl_key and not self.ssl_certificate:
            raise ValueError("ssl_key is set without ssl_certificate: set both")
        if not encrypted and not self.allow_plaintext and not self.brokers_on_loopback():
            raise ValueError(
                f"security_protocol {self.security_protocol} sends payments unencrypted to {self.brokers}: "
                "use SSL or SASL_SSL, or set allow_plaintext for development"
            )
        registry = urlsplit(self.schema_registry_url or "https://unset")
        readable = registry.scheme == "http" and not on_loopback(registry.hostname or "")
        if self.schema_registry_password and readable and not self.allow_plaintext:
            raise ValueError(
                f"schema_registry_password would go unencrypted to {self.schema_registry_url}: "
                "use https, or set allow_plaintext for development"
            )

    def brokers_on_loopback(self) -> bool:
        """Whether every bootstrap server is this machine itself."""
        hosts = [address.rsplit(":", 1)[0].strip("[] ") for address in self.brokers.split(",")]
        return all(on_loopback(host) for host in hosts)

    @property
    def changelog_topic(self) -> str:
        """The changelog of the account-state table."""
        return f"{self.app_id}-account-state-changelog"


def on_loopback(host: str) -> bool:
    """Whether a name or address is this machine itself."""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def is_secret(name: str) -> bool:
    """Whether the setting's value must never be shown."""
    return "SecretStr" in str(Settings.model_fields[name].annotation)
