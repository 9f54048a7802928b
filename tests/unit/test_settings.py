"""Where values come from, which are refused, and what the refusal says."""

from pathlib import Path

import pytest

from monitor.errors import SettingsError
from monitor.settings import Settings, is_secret, load_settings, load_sourced


def load(toml: str = "", tmp_path: Path | None = None, **environ: str) -> Settings:
    if tmp_path is None:
        return load_settings(environ=environ)
    file = tmp_path / "monitor.toml"
    file.write_text(toml)
    return load_settings(file, environ=environ)


def refusal(**values: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ={}, overrides=values)
    return str(caught.value)


def test_every_setting_has_a_description_and_a_default():
    assert load_settings(environ={}) == Settings()
    assert not [name for name, field in Settings.model_fields.items() if not field.description]


def test_overrides_go_over_the_environment_over_the_file_over_defaults(tmp_path):
    file = tmp_path / "monitor.toml"
    file.write_text('topic_alerts = "file"\ntopic_dlq = "file-dlq"\ntopic_audit = "file-audit"\n')
    environ = {"MONITOR_TOPIC_DLQ": "env-dlq", "MONITOR_TOPIC_AUDIT": "env-audit"}
    sourced = load_sourced(file, environ, {"topic_audit": "override-audit"})
    settings = sourced.settings
    found = (settings.topic_transactions, settings.topic_alerts, settings.topic_dlq, settings.topic_audit)
    assert found == ("transactions", "file", "env-dlq", "override-audit")
    names = ("topic_transactions", "topic_alerts", "topic_dlq", "topic_audit")
    assert [sourced.sources[name] for name in names] == ["default", "file", "environment", "override"]
    assert set(sourced.sources) == set(Settings.model_fields)


def test_the_variable_monitor_config_names_the_file_unless_one_is_given(tmp_path):
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text("warmup_s = 1\n")
    other.write_text("warmup_s = 2\n")
    environ = {"MONITOR_CONFIG": str(one)}
    assert load_settings(None, environ).warmup_s == 1
    assert load_settings(other, environ).warmup_s == 2


def test_an_empty_variable_counts_as_unset():
    assert load(MONITOR_SCHEMA_REGISTRY_URL="", MONITOR_BROKERS="") == Settings()


def test_the_process_environment_is_read_when_none_is_passed(monkeypatch):
    monkeypatch.setenv("MONITOR_WARMUP_S", "7")
    assert load_settings().warmup_s == 7


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(SettingsError, match=r"broker: no such setting \(MONITOR_BROKER\); did you mean brokers\?"):
        load(MONITOR_BROKER="x:1")
    with pytest.raises(SettingsError, match=r"zzzzz: no such setting .*`monitor config show` lists all"):
        load(MONITOR_ZZZZZ="1")


@pytest.mark.parametrize("name", ["SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR"])
def test_a_variable_that_kubernetes_makes_for_a_service_named_monitor_is_explained(name):
    with pytest.raises(SettingsError, match="enableServiceLinks: false"):
        load(**{f"MONITOR_{name}": "tcp://10.0.0.1:8080"})


def test_all_problems_are_told_at_once():
    text = refusal(warmup_s=-1, topic_replication=0)
    assert "warmup_s = -1:" in text
    assert "topic_replication = 0:" in text


def test_a_file_that_is_missing_or_not_toml_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"absent\.toml: cannot be read .*`monitor config init`"):
        load_settings(tmp_path / "absent.toml", {})
    for bad in (b"brokers = \n", b"\xff\xfe"):
        (tmp_path / "bad.toml").write_bytes(bad)
        with pytest.raises(SettingsError, match=r"bad\.toml: not TOML"):
            load_settings(tmp_path / "bad.toml", {})


def test_numbers_and_booleans_are_read_from_text():
    settings = load(MONITOR_ALLOW_PLAINTEXT="true", MONITOR_COMMIT_TIMEOUT_S="12.5", MONITOR_TOPIC_PARTITIONS="3")
    assert (settings.allow_plaintext, settings.commit_timeout_s, settings.topic_partitions) == (True, 12.5, 3)


@pytest.mark.parametrize(
    "brokers", ["kafka", "kafka:", ":9092", "kafka:0", "kafka:70000", "a:1,b", "a:1,", "kafka:9o92"]
)
def test_brokers_must_be_host_and_port(brokers):
    assert "must be HOST:PORT" in refusal(brokers=brokers)


def test_several_brokers_and_ipv6_are_brokers():
    assert load(MONITOR_BROKERS="127.0.0.1:1, [::1]:2,localhost:3").brokers == "127.0.0.1:1,[::1]:2,localhost:3"


@pytest.mark.parametrize("name", ["", "a b", "ä", "a" * 250, ".", "..", "a/b"])
def test_a_topic_name_must_be_one_that_kafka_takes(name):
    assert "as Kafka has it" in refusal(topic_alerts=name)


def test_two_roles_cannot_share_a_topic():
    assert "topic_dlq 'alerts' is topic_alerts already" in refusal(topic_dlq="alerts")
    assert "changelog_topic" in refusal(topic_alerts="fraud-monitor-account-state-changelog")


@pytest.mark.parametrize("key", ["", "00", "g" * 32, "0" * 33])
def test_a_hash_key_is_32_hex_digits_and_never_shown(key):
    text = refusal(hash_key=key)
    assert "hash_key = ***" in text
    assert "openssl rand -hex 16" in text


def test_no_secret_shows_up_in_a_message_or_in_the_repr():
    settings = load_settings(
        environ={},
        overrides={
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "sasl_username": "u",
            "sasl_password": "hunter2",
            "schema_registry_password": "hunter2",
        },
    )
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in refusal(sasl_password=["hunter2"])
    assert {name for name in Settings.model_fields if is_secret(name)} == {
        "hash_key",
        "sasl_password",
        "schema_registry_password",
    }


@pytest.mark.parametrize("url", ["registry:8081", "ftp://registry", "http://", "registry"])
def test_the_registry_needs_a_url(url):
    assert "must be a URL" in refusal(schema_registry_url=url)


def test_a_password_in_the_registry_url_is_refused():
    assert "schema_registry_user" in refusal(schema_registry_url="https://u:p@registry")


def test_the_registry_password_does_not_go_unencrypted_to_another_machine():
    remote = {"schema_registry_url": "http://registry:8081", "schema_registry_password": "x"}
    assert "would go unencrypted" in refusal(**remote)
    for allowed in (
        {"allow_plaintext": True},
        {"schema_registry_url": "https://registry"},
        {"schema_registry_url": "http://127.0.0.1:8081"},
    ):
        load_settings(environ={}, overrides=remote | allowed)


def test_timeouts_that_contradict_each_other_are_refused():
    assert "must be below poll_interval_s" in refusal(commit_timeout_s=60, poll_interval_s=60)
    assert "must be below session_timeout_s" in refusal(heartbeat_s=30, session_timeout_s=30)


def test_plaintext_beyond_loopback_must_be_allowed_by_name():
    assert "sends payments unencrypted to kafka:9092" in refusal(brokers="kafka:9092")
    assert "unencrypted" in refusal(brokers="127.0.0.1:1,kafka:9092")
    assert "unencrypted" in refusal(brokers="127.evil.example:9092")
    load_settings(environ={}, overrides={"brokers": "kafka:9092", "allow_plaintext": True})
    load_settings(environ={}, overrides={"brokers": "kafka:9092", "security_protocol": "SSL"})


def test_credentials_that_would_not_be_used_are_refused():
    assert "would not use sasl_*" in refusal(sasl_username="u", security_protocol="SSL")
    assert "would not use ssl_*" in refusal(ssl_ca="ca.pem")
    assert "needs sasl_mechanism" in refusal(security_protocol="SASL_SSL", sasl_username="u")
    assert "without ssl_certificate" in refusal(security_protocol="SSL", ssl_key="key.pem")


def test_a_start_that_is_no_time_is_refused():
    assert "start = 'yesterday'" in refusal(start="yesterday")


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Settings().brokers = "other:1"  # type: ignore[misc]
