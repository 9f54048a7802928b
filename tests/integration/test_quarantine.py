"""A record that ends the worker at each start is taken out with `monitor quarantine`, audited, and the partition goes on behind it."""

import json

from monitor.guard.reasons import Reason
from monitor.state.dispositions import Disposition
from tests.commands import run_here


def command(installation, *arguments):
    return run_here(installation.environment, installation.directory, "quarantine", *arguments)


def decisions(installation):
    return {
        (block.partition, int(each["offset"])): (int(each["disposition"]), int(each["reason"]))
        for block in installation.blocks()
        for each in block.decisions
    }


def test_only_the_next_undecided_record_is_taken_out_and_the_rest_is_decided_behind_it(install, transactions):
    installation = install(partitions=1)
    messages = transactions(600)
    installation.produce(messages[:300])
    worker = installation.start()
    worker.wait_ready()
    installation.wait_decided()
    assert worker.stop() == 0
    installation.produce(messages[300:])
    suspect = installation.sent[0][300]

    wrong = command(installation, "--partition", "0", "--offset", str(suspect.offset + 1), "--note", "n", "--yes")
    assert wrong.returncode == 76
    assert f"the next undecided record is {suspect.offset}" in wrong.stderr

    done = command(
        installation, "--partition", "0", "--offset", str(suspect.offset), "--note", "incident 17", "--by", "ada", "--json"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["offset"] == suspect.offset

    after = installation.start()
    after.wait_ready()
    installation.wait_decided()
    assert after.stop() == 0
    found = decisions(installation)
    assert sorted(offset for _, offset in found) == [record.offset for record in installation.sent[0]]
    assert found[0, suspect.offset] == (Disposition.REJECTED, Reason.QUARANTINED)
    signed = [block for block in installation.blocks() if "quarantine" in block.versions]
    assert [block.versions["quarantine"] for block in signed] == ["ada: incident 17"]
    letters = [
        m for m in installation.read(installation.settings.topic_dlq)
        if dict(m.headers())["reason"] == Reason.QUARANTINED.code.encode()
    ]  # fmt: skip
    assert [(m.key(), m.value()) for m in letters] == [(suspect.key, suspect.value)]
    sent = {0: [record for record in installation.sent[0] if record is not suspect]}
    installation.sent = sent
    assert installation.state() == installation.reference().state


def test_a_worker_that_has_the_partition_is_fenced_and_the_next_one_decides_nothing_twice(
    install, transactions, wait_until
):
    installation = install(partitions=1)
    messages = transactions(400)
    installation.produce(messages[:200])
    worker = installation.start()
    worker.wait_ready()
    installation.wait_decided()
    # An idle worker notices nothing: it still holds the partition when the next record is taken out from under it.
    worker.process.send_signal(19)
    installation.produce(messages[200:])
    suspect = installation.sent[0][200]
    done = command(installation, "--partition", "0", "--offset", str(suspect.offset), "--note", "n", "--yes")
    assert done.returncode == 0, done.stderr
    worker.process.send_signal(18)
    wait_until(lambda: worker.process.poll() is not None, 60, worker.tail)
    assert worker.process.returncode == 75
    installation.workers.remove(worker)
    after = installation.start()
    after.wait_ready()
    installation.wait_decided()
    assert after.stop() == 0
    decided = [offset for block in installation.blocks() for offset in block.decisions["offset"].tolist()]
    assert decided == [record.offset for record in installation.sent[0]]


def test_restarts_that_end_at_one_place_are_counted_and_the_record_is_named(install, transactions):
    installation = install(partitions=1)
    installation.produce(transactions(50))
    for _ in range(4):
        dying = installation.start(failpoints="run_decided:exit:1")
        assert dying.process.wait(90) == 70
        installation.workers.remove(dying)
    assert "monitor quarantine --partition 0 --offset 0" in dying.tail()
    worker = installation.start(max_run_records=20)
    worker.wait_ready()
    installation.wait_decided()
    assert worker.stop() == 0
    assert [block.records for block in installation.blocks()][:22] == [0] + [1] * 21
