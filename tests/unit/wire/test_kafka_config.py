"""What both Kafka clients are told: the same protection, or no start."""

import shutil
import ssl
import subprocess

import faust
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from monitor.errors import SettingsError
from monitor.settings import Settings
from monitor.wire import kafka_config
from monitor.wire.kafka_config import (
    AUDIT_MAX_BYTES,
    admin_config,
    client_config,
    consumer_config,
    dlq_message_bytes,
    faust_brokers,
    faust_credentials,
    largest_message_bytes,
    producer_config,
    ssl_context,
    transaction_timeout_ms,
)

SASL = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "alice", "sasl_password": "secret"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("NO OPENSSL on the PATH: no certificate to test with")
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subject = ["-subj", "/CN=localhost", "-days", "1"]
    command = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(cert),
        *subject,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def test_librdkafka_accepts_what_all_three_clients_are_given():
    settings = Settings(brokers="127.0.0.1:1", app_id="app")
    Producer(producer_config(settings))
    AdminClient(admin_config(settings))
    Consumer(consumer_config(settings, "group")).close()


def test_librdkafka_accepts_sasl_over_tls_and_is_given_every_part_of_it(certificate):
    cert, key = certificate
    settings = Settings(security_protocol="SASL_SSL", ssl_ca=cert, ssl_certificate=cert, ssl_key=key, **SASL)
    config = client_config(settings)
    assert {name: value for name, value in config.items() if name.startswith(("sasl", "ssl", "security"))} == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "alice",
        "sasl.password": "secret",
        "ssl.ca.location": str(cert),
        "ssl.certificate.location": str(cert),
        "ssl.key.location": str(key),
    }
    Producer(producer_config(settings))


def test_plaintext_clients_get_no_credentials():
    assert not [name for name in client_config(Settings()) if name.startswith(("sasl", "ssl"))]
    assert ssl_context(Settings()) is None
    assert faust_credentials(Settings()) is None


def test_producers_use_javas_partitioner_and_can_send_the_largest_message():
    config = producer_config(Settings())
    assert config["partitioner"] == "murmur2_random"
    assert config["enable.idempotence"] is True
    assert config["message.max.bytes"] >= max(AUDIT_MAX_BYTES, Settings().dlq_max_bytes)


def test_the_largest_message_follows_the_larger_of_dead_letters_and_audit_blocks():
    assert largest_message_bytes(Settings(dlq_max_bytes=1024)) == AUDIT_MAX_BYTES
    big = Settings(dlq_max_bytes=32 << 20)
    assert largest_message_bytes(big) == dlq_message_bytes(big) > 32 << 20


def test_consumers_see_committed_transactions_only_and_commit_nothing_by_themselves():
    config = consumer_config(Settings(), "group")
    assert config["isolation.level"] == "read_committed"
    assert config["enable.auto.commit"] is False


def test_the_broker_never_aborts_a_transaction_that_we_still_wait_for():
    settings = Settings(commit_timeout_s=12.5)
    assert transaction_timeout_ms(settings) > settings.commit_timeout_s * 1000


def test_the_context_checks_names_and_certificates(certificate):
    context = ssl_context(Settings(security_protocol="SSL", ssl_ca=certificate[0]))
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_certificates_that_cannot_be_read_are_named(content, tmp_path, certificate):
    bad = tmp_path / "bad.pem"
    if content is not None:
        bad.write_text(content)
    with pytest.raises(SettingsError, match=r"ssl_ca = .*bad\.pem: .+; name a readable file"):
        ssl_context(Settings(security_protocol="SSL", ssl_ca=bad))
    with pytest.raises(
        SettingsError, match=r"ssl_certificate = .*bad\.pem, ssl_key = .*key\.pem: .+; name readable PEM"
    ):
        ssl_context(Settings(security_protocol="SSL", ssl_certificate=bad, ssl_key=certificate[1]))


def test_faust_encrypts_what_the_settings_encrypt(certificate):
    tls = faust_credentials(Settings(security_protocol="SSL", ssl_ca=certificate[0]))
    assert isinstance(tls, faust.SSLCredentials)
    assert tls.protocol.value == "SSL"
    both = faust_credentials(Settings(security_protocol="SASL_SSL", ssl_ca=certificate[0], **SASL))
    assert isinstance(both, faust.SASLCredentials)
    assert (both.protocol.value, both.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (both.username, both.password) == ("alice", "secret")
    assert both.ssl_context is not None


def test_sasl_in_the_clear_is_sasl_in_the_clear_only_when_asked_for():
    credentials = faust_credentials(Settings(security_protocol="SASL_PLAINTEXT", **SASL))
    assert credentials is not None
    assert credentials.protocol.value == "SASL_PLAINTEXT"


def test_credentials_that_faust_would_silently_send_in_the_clear_are_refused(monkeypatch):
    monkeypatch.setattr(kafka_config, "ssl_context", lambda _: None)
    with pytest.raises(SettingsError, match="Faust would use SASL_PLAINTEXT"):
        faust_credentials(Settings(security_protocol="SASL_SSL", **SASL))
    with pytest.raises(SettingsError, match="Faust would use PLAINTEXT"):
        faust_credentials(Settings(security_protocol="SSL"))


def test_tripwire_faust_still_takes_sasl_without_a_context_as_plaintext():
    assert faust.SASLCredentials(username="u", password="p").protocol.value == "SASL_PLAINTEXT"


def test_brokers_are_urls_of_the_transport():
    assert faust_brokers(Settings(brokers="127.0.0.1:1,127.0.0.2:2"), "runs") == "runs://127.0.0.1:1;runs://127.0.0.2:2"
