"""`monitor audit` on a real Kafka: what a worker wrote is verified, proved by a script that has none of our code, and pinned."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from monitor.audit.export import Export
from tests.audit_log import log_of
from tests.commands import run_here

SCRIPT = Path(__file__).parents[2] / "examples" / "verify_proof.py"
COUNT = 4_000


@pytest.fixture
def audit(tmp_path):
    """`audit(environment, "verify", ...)` runs the command."""
    return lambda environment, *arguments: run_here(environment, tmp_path, "audit", *arguments)


def good(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def script(path, *options):
    """As an auditor would: no site-packages, no environment, nothing of ours."""
    command = [sys.executable, "-I", "-S", SCRIPT, path, *options]
    return subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False)


def flipped(proof):
    """Every proof that differs from `proof` in one bit of the decision."""
    entry = proof["proofs"][0]["entry"]
    for at in range(0, len(entry), 7):
        other = f"{int(entry[at], 16) ^ 1:x}"
        first = {**proof["proofs"][0], "entry": entry[:at] + other + entry[at + 1 :]}
        yield {**proof, "proofs": [first, *proof["proofs"][1:]]}


def test_what_a_worker_decided_is_verified_proved_and_pinned(
    kafka, install, transactions, make_topics, audit, tmp_path
):
    installation = install(partitions=2, max_run_records=250)
    installation.produce(transactions(COUNT))
    worker = installation.start()
    installation.wait_decided()
    assert worker.stop() == 0
    environment, topic = installation.environment, installation.settings.topic_audit

    report = json.loads(good(audit(environment, "verify", "--json")).stdout)
    assert report["decisions"] == COUNT
    assert [each["finding"] for each in report["partitions"]] == [None, None]

    good(audit(environment, "export", "--to", tmp_path / "export.avro"))
    blocks = [(message.partition(), message.offset(), message.value()) for message in installation.read(topic)]
    assert sorted(Export(tmp_path / "export.avro").blocks()) == sorted(blocks)
    good(audit({}, "verify", "--from", tmp_path / "export.avro"))

    good(audit(environment, "keygen", "--to", tmp_path / "key"))
    ledger, trust = (
        tmp_path / "checkpoints",
        ("--checkpoint", tmp_path / "checkpoints", "--public-key", tmp_path / "key.pub"),
    )
    good(audit(environment, "checkpoint", "--key", tmp_path / "key", "--to", ledger))
    good(audit(environment, "verify", *trust))

    block = next(each for each in installation.blocks() if each.records > 10)
    transaction = bytes(block.transaction_ids[: int(block.decisions["id_length"][0])]).decode()
    proof_file = tmp_path / "proof.json"
    good(audit(environment, "prove", "--transaction", transaction, *trust, "--out", proof_file))
    proof = json.loads(proof_file.read_text())
    assert int(block.decisions["offset"][0]) in [each["decision"]["offset"] for each in proof["proofs"]]
    trusted = {each["block"]["partition"]: each["block"]["block_hash"] for each in proof["proofs"]}
    assert len(trusted) == len(proof["proofs"]) == 1
    (hash_of_block,) = trusted.values()
    accepted = script(proof_file, "--block-hash", hash_of_block)
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert f"transaction {transaction} at offset" in accepted.stdout
    for number, altered in enumerate(flipped(proof)):
        (tmp_path / f"altered-{number}.json").write_text(json.dumps(altered))
        assert script(tmp_path / f"altered-{number}.json", "--block-hash", hash_of_block).returncode == 1

    # Retention took everything but the last block.
    places = {each["partition"]: each["height"] for each in report["partitions"]}
    assert min(places.values()) > 3
    last = {partition: max(at for each, at, _ in blocks if each == partition) for partition in (0, 1)}
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for done in admin.delete_records([TopicPartition(topic, partition, at) for partition, at in last.items()]).values():
        done.result(30)
    without = audit(environment, "verify")
    assert without.returncode == 1
    assert without.stdout.count("no genesis") == 2
    good(audit(environment, "verify", *trust))
    good(audit(environment, "checkpoint", "--key", tmp_path / "key", "--to", ledger))
    assert len(ledger.read_bytes().splitlines()) == 2


def write_log(kafka, topic, log, partitions=2):
    """The blocks of a made log as a topic, made anew."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    for done in admin.create_topics([NewTopic(topic, partitions, 1)]).values():
        done.result(30)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for stored in log:
        producer.produce(topic, stored.value, None, stored.partition)
    assert producer.flush(30) == 0


def remove(kafka, topic, wait_until):
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})
    for done in admin.delete_topics([topic]).values():
        done.result(30)
    wait_until(lambda: topic not in admin.list_topics(timeout=10).topics, 30, lambda: f"{topic} is still there")


@pytest.mark.parametrize(
    ("after", "named"),
    [
        ([*log_of(0)[:4], *log_of(1)], "partition 0: truncated: ends at block 3, a checkpoint attests block 6"),
        ([*log_of(0)], "partition 1: truncated: holds no block, a checkpoint attests block 6"),
        ([*log_of(0, seed=9), *log_of(1)], "partition 0 at offset 6: rewritten: block 6 is"),
    ],
    ids=["cut off", "emptied", "written anew"],
)
def test_what_only_a_checkpoint_shows_is_named_and_never_signed_again(
    kafka, topic_prefix, audit, wait_until, tmp_path, after, named
):
    topic, kept = f"{topic_prefix[-20:]}.audit", f"{topic_prefix[-20:]}.checkpoints"
    environment = {"MONITOR_BROKERS": kafka.bootstrap, "MONITOR_TOPIC_AUDIT": topic, "MONITOR_APP_ID": "app"}
    write_log(kafka, topic, [*log_of(0), *log_of(1)])
    write_log(kafka, kept, [], 1)
    for name in ("one", "two"):
        good(audit(environment, "keygen", "--to", tmp_path / name))
    trust = [
        "--checkpoint",
        f"topic:{kept}",
        "--public-key",
        tmp_path / "one.pub",
        "--public-key",
        tmp_path / "two.pub",
    ]
    sign = ("checkpoint", "--key", tmp_path / "one", "--to", f"topic:{kept}")
    good(audit(environment, *sign))
    assert (
        "1 valid signatures of the 2 keys given, 2 are needed"
        in audit(environment, "verify", *trust, "--signatures", 2).stdout
    )
    second = ("--key", tmp_path / "two", "--to", f"topic:{kept}", "--public-key", tmp_path / "one.pub")
    good(audit(environment, "countersign", *second))
    good(audit(environment, "verify", *trust, "--signatures", 2))

    remove(kafka, topic, wait_until)
    write_log(kafka, topic, after)
    good(audit(environment, "verify"))
    against = audit(environment, "verify", *trust)
    assert against.returncode == 1
    assert named in against.stdout
    refused = audit(environment, *sign)
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, "not signed"), refused.stderr
    assert named in audit(environment, "countersign", *second).stdout
