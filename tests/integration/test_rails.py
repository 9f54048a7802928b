"""One payment rail sends garbage at ten times the rate of all payments: it is walled off and opened again, and the others get what they get without it."""

import dataclasses
import json
import time

import numpy as np

from monitor.simulate.messages import transaction_messages
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.columns import CHANNELS
from tests.commands import run_here
from tests.installation import END_S, decide_offline
from tests.integration.test_reconcile import defects, reconcile

WALLET = CHANNELS.index("wallet")


def batches(count, seed):
    spec = SimulationSpec(seed=seed, transactions=count, accounts=200, fraud_share=0.05, duplicates=0.0)
    shift = time.time_ns() // 1_000_000 - spec.end_ms
    return (batch.moved(shift) for batch in generate(spec))


def payments(count):
    """(key, value) of simulated payments, and the channel of each value."""
    pairs, channels = [], {}
    for batch in batches(count, seed=1):
        messages = transaction_messages(batch, 1)
        pairs += zip(messages.keys, messages.values, strict=True)
        channels.update(zip(messages.values, batch.channel.tolist(), strict=True))
    return pairs, channels


def garbage(count):
    """Payments of the wallet, to accounts that others pay from too, in a currency that there is not."""
    pairs = []
    for batch in batches(count, seed=2):
        n = len(batch)
        spoilt = dataclasses.replace(batch, channel=np.full(n, WALLET, np.uint8), currency=np.full(n, b"QQQ"))
        messages = transaction_messages(spoilt, 1)
        pairs += zip(messages.keys, messages.values, strict=True)
    return pairs


def mixed(good, bad):
    """Ten of the bad after each of the good."""
    return [pair for at, each in enumerate(good) for pair in (each, *bad[10 * at : 10 * at + 10])]


def test_a_rail_of_garbage_is_walled_off_and_opened_again_and_the_others_do_not_feel_it(install, wait_until):
    installation = install(partitions=2, rail_window_s=4, rail_retry_s=1)
    (good, channels), bad = payments(3_000), garbage(10_000)
    worker = installation.start()
    worker.wait_ready()
    url = worker.url()

    def walled():
        told = run_here(installation.environment, installation.directory, "rails", "--json", "--url", url)
        return json.loads(told.stdout)["walled"]

    installation.produce(good[:1_000])
    installation.produce(mixed(good[1_000:1_500], bad[:5_000]))
    wait_until(lambda: walled() == "wallet=review", END_S, worker.tail)
    installation.produce(mixed(good[1_500:2_000], bad[5_000:]))
    installation.wait_decided()
    wait_until(lambda: walled() == "", END_S, worker.tail)
    metrics = worker.metrics()
    assert metrics['monitor_degraded{state="rail"}'] == 0
    assert metrics['monitor_rail_records_total{rail="wallet",result="rejected"}'] == len(bad)
    installation.produce(good[2_000:])
    installation.wait_decided()
    assert worker.stop() == 0
    changes = [(each["rail"], each["state"]) for each in worker.lines() if each["message"] == "rail"]
    assert {rail for rail, _ in changes} == {"wallet"}
    assert (changes[0][1], changes[-2][1], changes[-1][1]) == ("walled", "recovering", "healthy")

    blocks = [block for block in installation.blocks() if block.records]
    assert {block.versions["rails"] for block in blocks} == {"", "wallet=review"}
    decided = {(block.partition, int(each["offset"])): each for block in blocks for each in block.decisions}
    assert len(decided) == len(good) + len(bad)
    assert sum(block.dead_letters for block in blocks) == len(bad)
    sent = {p: [each for each in records if each.value in channels] for p, records in installation.sent.items()}
    others = {(p, each.offset) for p, records in sent.items() for each in records if channels[each.value] != WALLET}
    without = decide_offline(installation.settings, sent, 1_000)
    assert {at: float(decided[at]["score"]) for at in without.scores} == without.scores
    alerts = {at for at in others if decided[at]["outcome"] > 0}
    assert alerts == without.alerts & others
    assert len(alerts) > 10
    assert defects(reconcile(installation)) == {}
