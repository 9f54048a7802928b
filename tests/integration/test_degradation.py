"""One worker through all that it goes on without, in turn, while payments flow: each state is told and taken back by itself, decisions go on in each, and
in the end nothing is lost, twice or otherwise.
"""

import hashlib
import json
import os
import shutil
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from confluent_kafka import Producer

from monitor.embedded.kafka import EmbeddedKafka, available
from monitor.observe.health import Degraded
from monitor.resources import shipped
from monitor.risk.book import Entities, Snapshot
from monitor.risk.figures import FIGURES
from monitor.risk.snapshots import save_snapshot
from monitor.rules.stored import publish
from monitor.scoring.artifact import load_model, save_model, set_current
from monitor.sealed import SUMS, sums_of
from monitor.state.dispositions import Disposition, Lacking
from monitor.versions import set_pointer
from monitor.wire.kafka_config import producer_config
from monitor.wire.our_records import read_record
from monitor.wire.records import Spans
from tests.door import Door
from tests.installation import new_installation
from tests.integration.test_reconcile import defects, reconcile
from tests.integration.test_schemas import NOBODYS_ID, SHIPPED, payment, register, written

SHED_AFTER_S, AWAY_S = 3, 5
AHEAD_MS = 600_000
AT_ONCE = 10
WAIT_S = 60
RULES = """
version = "{version}"
[[rule]]
id = "pace"
version = 1
description = "Many a day"
measure = "count_24h"
band = [{{at_least = 3, reason_code = "pace", action = "review", text = "{{value}} a day"}}]
[[rule]]
id = "risk"
version = 1
description = "Looks at risk"
when = "merchant_risk_3d > 0.99"
band = [{{reason_code = "risk", action = "review", text = "x"}}]
"""


class Feed(threading.Thread):
    """Payments in real time, a few at once, of a few accounts; `ahead_ms`: what the clocks of those who write them are ahead of ours."""

    def __init__(self, installation, schema_id):
        super().__init__(daemon=True)
        self.ahead_ms, self.sent = AHEAD_MS, 0
        self._ended, self._schema_id = threading.Event(), schema_id
        self._topic = installation.settings.topic_transactions
        self._producer = Producer(producer_config(installation.settings))

    def run(self):
        while not self._ended.wait(0.05):
            now_ms = time.time_ns() // 1_000_000 + self.ahead_ms
            for n in range(self.sent, self.sent + AT_ONCE):
                account = f"account-{n % 40}-{self.ahead_ms}"
                made = written(SHIPPED, self._schema_id, payment(n, account_id=account, event_time=now_ms))
                self._producer.produce(self._topic, made, account.encode(), timestamp=now_ms)
            assert self._producer.flush(WAIT_S) == 0
            self.sent += AT_ONCE

    def end(self):
        self._ended.set()
        if self.is_alive():
            self.join()


class Scene:
    """The worker as those see it who operate it."""

    def __init__(self, installation, worker, wait_until):
        self._worker, self._wait_until, self._url = worker, wait_until, worker.url()
        self.installation = installation

    def ready(self):
        answer = httpx.get(f"{self._url}/ready", timeout=20)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def until(self, condition):
        self._wait_until(condition, WAIT_S, lambda: f"{self._worker.tail()}\n{self.ready()}")

    def decides(self):
        """Payments go on being scored, with or without a model."""
        before = self._scored()
        self.until(lambda: self._scored() > before + AT_ONCE)

    def _scored(self):
        return self._worker.metrics()["monitor_transactions_scored_total"]

    @contextmanager
    def without(self, state):
        """What is done before is why it is told, what is done in the block happens meanwhile, and its end mends it."""
        self.until(lambda: state.value in self.ready()["degraded"])
        assert self._worker.metrics()[f'monitor_degraded{{state="{state.value}"}}'] == 1.0
        yield
        self.until(lambda: state.value not in self.ready()["degraded"])
        assert self._worker.metrics()[f'monitor_degraded{{state="{state.value}"}}'] == 0.0

    def refuses(self, *words):
        """/ready says so, and what was there before goes on."""
        self.until(lambda: any(all(word in each for word in words) for each in self.ready()["refused"]))
        assert self._worker.metrics()["monitor_artifacts_refused"] >= 1.0
        self.decides()
        assert set(self.ready()["degraded"]) <= {Degraded.EXPLANATIONS.value}, "that may be, on a busy machine"

    def refuses_nothing(self):
        self.until(lambda: self.ready()["refused"] == [])


@pytest.fixture
def broker():
    """A Kafka of its own: it will be frozen."""
    can = available()
    if not can:
        pytest.skip(f"NO REAL KAFKA: {can.why}")
    with EmbeddedKafka() as broker:
        yield broker


@pytest.fixture
def door(registry_url):
    """In front of the registry, and the URL there."""
    parts = urlsplit(registry_url)
    door = Door(parts.port)
    yield door, parts._replace(netloc=f"127.0.0.1:{door.port}").geturl()
    door.close()


@pytest.fixture
def places(tmp_path):
    """Directories of models, rules and risk: rules and a snapshot in force, two models that find everything strange, none of them current."""
    models, rules, risk = tmp_path / "models", tmp_path / "rules", tmp_path / "risk"
    for version in ("first", "second"):
        model = replace(load_model(shipped("models")), version=version, review_threshold=1e-9, block_threshold=1.0)
        save_model(models, model, np.random.default_rng(1).random((4, len(model.features)), np.float32), {}, "")
    put_in_force(rules, "r-1")
    nobody = Entities.of(Spans.of([]), np.zeros((0, len(FIGURES)), np.int64))
    save_snapshot(risk, Snapshot("all-time", 1, 1 << 60, 0, (nobody,) * 3), {})
    return models, rules, risk


def test_whatever_fails_decisions_go_on_and_it_is_told_and_mended_by_itself(
    broker, door, places, topic_prefix, wait_until
):
    (door, url), (models, rules, risk) = door, places
    installation = new_installation(
        broker.bootstrap, topic_prefix, 2, models_dir=models, rules_dir=rules, risk_dir=risk, schema_registry_url=url,
        artifacts_check_s=0.2, shed_after_s=SHED_AFTER_S, session_timeout_s=30, rail_least_records=10**6,  # no rail is judged
    )  # fmt: skip
    feed = Feed(installation, register(url, f"{installation.settings.topic_transactions}-value", SHIPPED))
    try:
        worker = installation.start()
        worker.wait_ready()
        scene = Scene(installation, worker, wait_until)
        feed.start()
        clocks_apart(scene, feed)
        no_model(scene, models)
        altered_and_missing_models(scene, models)
        no_risk(scene, risk)
        broken_rules(scene, rules)
        a_mount_that_hangs(scene, models)
        a_registry_that_is_away(scene, door)
        a_broker_that_is_away(scene, broker)
        scene.until(lambda: scene.ready()["degraded"] == [])
        feed.end()
        installation.wait_decided()
        assert worker.stop() == 0
        check_what_is_left(installation, worker, feed.sent + 1)
    finally:
        feed.end()
        installation.close()


def clocks_apart(scene, feed):
    """To the worker its own clock being behind from the start is the same as all the others' being ahead."""
    with scene.without(Degraded.CLOCK):
        skew_s = scene._worker.metrics()["monitor_clock_skew_seconds"]
        assert AHEAD_MS / 1000 - 60 < skew_s <= AHEAD_MS / 1000
        scene.decides()
        feed.ahead_ms = 0
    scene.decides()


def no_model(scene, models):
    """There is none at the start: rules alone decide, until one is promoted."""
    with scene.without(Degraded.MODEL):
        scene.decides()
        set_current(models, "first")
    assert scene.ready()["model"] == "first"
    scene.decides()


def altered_and_missing_models(scene, models):
    """One whose golden vectors no longer get their scores, though its sums fit; a directory that is gone; then a good one."""
    shutil.copytree(models / "first", models / "altered")
    path = models / "altered" / "manifest.json"
    manifest = json.loads(path.read_text()) | {"version": "altered"}
    manifest["golden"]["scores"][0] = (0.123).hex()
    path.write_text(json.dumps(manifest))
    files = [each for each in (models / "altered").iterdir() if each.name != SUMS]
    sums = sums_of({each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in files})
    (models / "altered" / SUMS).write_bytes(sums)
    set_pointer(models, "current", "altered")
    scene.refuses("golden")
    models.rename(models.with_name("elsewhere"))
    scene.refuses(str(models), "cannot be read")
    models.with_name("elsewhere").rename(models)
    set_current(models, "second")
    scene.refuses_nothing()
    assert scene.ready()["model"] == "second"


def no_risk(scene, risk):
    """All snapshots gone: a rule that looks at risk is silent, and everything else goes on."""
    risk.rename(risk.with_name("away"))
    with scene.without(Degraded.RISK):
        scene.decides()
        risk.with_name("away").rename(risk)


def broken_rules(scene, rules):
    """A version that cannot be read: the one before stays in force, until a good one is promoted."""
    (rules / "broken").mkdir()
    set_pointer(rules, "current", "broken")
    scene.refuses("broken")
    put_in_force(rules, "r-2")
    scene.refuses_nothing()


def a_mount_that_hangs(scene, models):
    """A read that does not end, as of a network mount that is away: the pointer is a pipe that nobody writes to."""
    os.mkfifo(models / ".pipe")
    (models / ".pipe").rename(models / "current")
    scene.refuses("does not answer")
    (models / "current").rename(models / ".pipe")
    set_current(models, "first")
    with (models / ".pipe").open("w") as pipe:
        pipe.write("first\n")
    scene.refuses_nothing()
    assert scene.ready()["model"] == "first"


def a_registry_that_is_away(scene, door):
    """Payments of a schema that nobody has seen are dead letters, the others go on."""
    with door.shut():
        scene.installation.produce([(b"account-1", written(SHIPPED, NOBODYS_ID, payment(1 << 30)))])
        scene.until(lambda: Degraded.SCHEMAS.value in scene.ready()["degraded"])
        scene.decides()
    with scene.without(Degraded.SCHEMAS):
        scene.decides()


def a_broker_that_is_away(scene, broker):
    """Nothing can be decided meanwhile. What has waited for too long then goes without explanations, and the rest has them again."""
    broker.pause()
    time.sleep(AWAY_S)  # the fault's own length
    broker.resume()
    with scene.without(Degraded.EXPLANATIONS):
        scene.decides()


def check_what_is_left(installation, worker, sent):
    """Everything is decided once, as the checker finds; decisions and alerts say what they had to do without; each change was logged once."""
    blocks = [block for block in installation.blocks() if block.records]
    assert {"", "first", "second"} == {block.versions["model"] for block in blocks}
    assert {"r-1", "r-2"} == {block.versions["rules"].partition("@")[0] for block in blocks}
    decisions = np.concatenate([block.decisions for block in blocks])
    assert {0, Lacking.MODEL, Lacking.EXPLANATIONS} <= set(decisions["degraded"].tolist())
    for block in blocks:
        assert (block.versions["model"] == "") == bool(block.decisions["degraded"][0] & Lacking.MODEL)
    letters = {dict(m.headers())["reason"] for m in installation.read(installation.settings.topic_dlq)}
    assert letters == {b"schema_unavailable", b"event_time_in_future"}
    alerts = [read_record("alert.avsc", m.value()) for m in installation.read(installation.settings.topic_alerts)]
    assert {tuple(a["degraded"]) for a in alerts} >= {(), ("model",), ("explanations",)}
    late = [alert for alert in alerts if alert["degraded"] == ["explanations"]]
    assert not any(alert["attributions"] for alert in late)
    assert all("explanation left out: decided" in alert["reasons"][-1] for alert in late)
    assert all(alert["attributions"] for alert in alerts if alert["degraded"] == [])
    changes = [(line["message"], line["state"]) for line in worker.lines() if "degraded" in line["message"]]
    for state in (Degraded.MODEL, Degraded.RISK, Degraded.SCHEMAS, Degraded.CLOCK, Degraded.EXPLANATIONS):
        on, off = (changes.count((message, state.value)) for message in ("degraded", "no longer degraded"))
        assert on == off >= 1, (state, changes)
        assert on == 1 or state is Degraded.EXPLANATIONS, changes
    found = reconcile(installation)
    assert defects(found) == {}
    assert (found["not_scored_anew"], found["alerts"]) == (0, len(alerts))
    assert found["group_at_end"]
    assert found["transactions"] == sent
    assert (decisions["disposition"] == Disposition.DUPLICATE).sum() == 0


def put_in_force(rules, version):
    path = rules.with_name("rules.toml")
    path.write_text(RULES.format(version=version))
    publish(rules, path)
    set_pointer(rules, "current", version)
