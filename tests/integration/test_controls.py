"""What people decide by hand, while a worker decides: taken between runs, named by blocks, rebuilt by the checker; what is not allowed is told and ignored."""

import json
from dataclasses import replace

import httpx
from confluent_kafka import Producer

from monitor.controls.proposal import read_proposal, signed_with
from monitor.decide.policy import OUTCOMES
from monitor.keys import load_private, make_key
from monitor.rules.stored import publish
from monitor.versions import set_pointer
from monitor.wire.kafka_config import producer_config
from monitor.wire.our_records import read_record
from tests.commands import run_here
from tests.integration.test_reconcile import defects, reconcile
from tests.watched import WATCHED


def test_controls_are_taken_between_runs_and_found_again_by_the_checker(install, transactions, tmp_path, wait_until):
    (tmp_path / "rules.toml").write_text(WATCHED)
    publish(tmp_path / "rules", tmp_path / "rules.toml")
    set_pointer(tmp_path / "rules", "current", "1")
    public, _ = make_key(tmp_path / "ann.key", None)
    key = load_private(tmp_path / "ann.key", None)
    installation = install(
        partitions=2, rules_dir=tmp_path / "rules", controls_signers=public, controls_check_s=0.1, alert_cooldown_s=300
    )
    worker = installation.start()
    worker.wait_ready()

    def monitor(*arguments):
        done = run_here(installation.environment, tmp_path, "controls", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def decide(*arguments):
        """Proposed, signed, submitted, and taken by the worker."""
        before = ready()["controls"]["version"]
        monitor("propose", *arguments, "--because", "as agreed", "-o", "controls.json")
        monitor("sign", "controls.json", "--key", "ann.key", "--yes")
        monitor("submit", "controls.json")
        wait_until(lambda: ready()["controls"]["version"] != before, 30, worker.tail)
        return ready()["controls"]["version"]

    def ready():
        return httpx.get(f"{worker.url()}/ready").json()

    sent = transactions(1_600)
    account = sent[-1][0].decode()
    installation.produce(sent[:400])
    installation.wait_decided()
    versions = [decide("suppress", "--account", account, "--for", "2h")]
    installation.produce(sent[400:800])
    installation.wait_decided()
    ids = [json.loads(line)["control_id"] for line in monitor("list", "--json").splitlines()]
    versions.append(decide("withdraw", ids[0]))
    installation.produce(sent[800:1200])
    installation.wait_decided()
    versions.append(decide("list-add", "watched", account))

    monitor("propose", "rail", "card", "walled", "--because", "I alone say so", "-o", "forged.json")
    (forged,) = signed_with(read_proposal(tmp_path / "forged.json"), key, installation.settings.app_id)
    forged = replace(forged, control=replace(forged.control, state="open"))
    producer = Producer(producer_config(installation.settings))
    producer.produce(installation.settings.topic_controls, forged.value(8), forged.control.key.encode(), 0)
    assert producer.flush(30) == 0
    wait_until(lambda: worker.metrics()["monitor_controls_refused_total"] == 1.0, 30, worker.tail)
    assert ready()["controls"] | {"version": ""} == {
        "version": "", "suppression": 0, "override": 0, "list_entry": 1, "rail": 0
    }  # fmt: skip
    assert ["'rail/card'" in each and "0 valid signatures" in each for each in ready()["refused"]] == [True]
    versions.append(ready()["controls"]["version"])
    installation.produce(sent[1200:])
    installation.wait_decided()
    assert worker.stop() == 0

    named = [block.versions["controls"] for block in sorted(installation.blocks(), key=lambda each: each.height)]
    assert set(named) == {"", *versions} - {versions[2]}
    alerts = [
        read_record("alert.avsc", message.value()) for message in installation.read(installation.settings.topic_alerts)
    ]
    listed = {each["transaction_id"] for each in alerts if each["rule_hits"]}
    assert listed
    assert {each["outcome"] for each in alerts if each["transaction_id"] in listed} == {OUTCOMES[2]}
    assert {each["account_id"] for each in alerts if each["transaction_id"] in listed} == {account}
    found = reconcile(installation)
    assert defects(found) == {}
    assert (found["not_scored_anew"], found["notes"]) == (0, [])
