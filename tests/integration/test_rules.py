"""Rules change while a worker decides: no run is a mixture, what is refused changes nothing, and the checker finds each run as its block says."""

from monitor.rules.stored import publish
from monitor.versions import set_pointer
from monitor.wire.our_records import read_record
from tests.integration.test_reconcile import defects, reconcile

RULES = """
version = "{version}"
[[rule]]
id = "pace"
version = 1
description = "Many a day"
measure = "count_24h"
band = [{{at_least = {limit}, reason_code = "pace", action = "{action}", text = "{{value}} a day"}}]
[[rule]]
id = "tried"
version = 1
description = "In shadow"
when = "amount > money(1)"
state = "shadow"
band = [{{reason_code = "tried", action = "block", text = "x"}}]
"""


def test_rules_change_between_runs_and_a_refused_version_changes_nothing(install, transactions, tmp_path, wait_until):
    rules_dir = tmp_path / "rules"

    def put_in_force(version, limit, action):
        path = tmp_path / "rules.toml"
        path.write_text(RULES.format(version=version, limit=limit, action=action))
        publish(rules_dir, path)
        set_pointer(rules_dir, "current", version)

    put_in_force("r-1", 4, "review")
    installation = install(partitions=2, rules_dir=rules_dir, artifacts_check_s=0.2)
    worker = installation.start()
    worker.wait_ready()
    installation.produce(transactions(2_000))
    installation.wait_decided()
    assert worker.metrics()['monitor_rule_hits_total{rule="pace"}'] > 10
    assert worker.metrics()['monitor_rule_shadow_hits_total{rule="tried"}'] > 1_000
    put_in_force("r-2", 2, "block")
    wait_until(lambda: worker.metrics().get('monitor_rules_info{version="r-2"}') == 1.0, 60, worker.tail)
    installation.produce(transactions(2_000, seed=2))
    installation.wait_decided()
    (rules_dir / "r-3").mkdir()
    set_pointer(rules_dir, "current", "r-3")
    wait_until(lambda: worker.metrics()["monitor_artifacts_refused"] == 1.0, 60, worker.tail)
    installation.produce(transactions(500, seed=3))
    installation.wait_decided()
    assert worker.stop() == 0

    blocks = [block for block in installation.blocks() if block.records]
    assert {block.versions["rules"].partition("@")[0] for block in blocks} == {"r-1", "r-2"}
    alerts = [
        read_record("alert.avsc", message.value()) for message in installation.read(installation.settings.topic_alerts)
    ]
    hits = [(hit["action"], alert["outcome"]) for alert in alerts for hit in alert["rule_hits"]]
    assert {action for action, _ in hits} == {"review", "block"}
    assert {outcome for action, outcome in hits if action == "block"} == {"block"}
    blocks = [
        read_record("rule-hits-block.avsc", message.value())
        for message in installation.read(installation.settings.topic_rule_hits)
    ]
    tried = [hit for block in blocks for hit in block["hits"]]
    assert {(hit["rule_id"], hit["action"]) for hit in tried} == {("tried", "block")}
    assert {block["rules"] for block in blocks} == {"r-1", "r-2"}
    assert len(tried) > 1_000
    found = reconcile(installation)
    assert defects(found) == {}
    assert (found["not_scored_anew"], found["alerts"]) == (0, len(alerts))
