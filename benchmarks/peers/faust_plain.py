"""The job in Faust as its documentation teaches it: one event at a time, a table of Python values, scikit-learn's own `score_samples`."""

import sys
from typing import Any

import faust
from sklearn.ensemble import IsolationForest

from benchmarks.peers.given import Given, read_transaction
from benchmarks.race.job import SAMPLES, TRAINING_SEED, TREES
from benchmarks.race.progress import Progress

WINDOWS = ((300_000, 12), (3_600_000, 24), (21_600_000, 28))
"""Of 1 h, 24 h and 7 d: tile in ms, and how many."""

given = Given.arguments()
progress = Progress(given.progress)
model = IsolationForest(n_estimators=TREES, max_samples=SAMPLES, random_state=TRAINING_SEED).fit(given.training)

app = faust.App(
    given.name,
    broker=f"kafka://{given.brokers}",
    datadir=str(given.directory / "faust"),
    topic_partitions=4,
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
transactions = app.topic(given.topic, key_type=bytes, value_serializer="raw")
alerts = app.topic(given.alerts, key_type=bytes, value_serializer="raw")
accounts = app.Table("accounts", default=dict, partitions=4)


def features(account: dict[str, Any], time_ms: int, amount: int, credit: bool) -> list[float]:
    """From the account's past, in the order of benchmarks/race/job.py."""
    last = account.get("last")
    late = last is not None and time_ms < last
    row = [float(amount), float(credit), float(account.get("events", 0))]
    row.append(-1.0 if last is None else 0.0 if late else (time_ms - last) / 1000)
    count, total, mean, largest = [], [], [], []
    for number, (size, length) in enumerate(WINDOWS):
        tile = time_ms // size
        tiles = account.get("windows", [{}, {}, {}])[number]
        head = max(tile, account.get("heads", [0, 0, 0])[number])
        newest = tile - 1 if late else tile
        inside = [each for at, each in tiles.items() if head - length < int(at) <= newest]
        count.append(float(sum(each[0] for each in inside)))
        total.append(float(sum(each[1] for each in inside)))
        mean.append(sum(each[1] for each in inside) / count[-1] if inside else 0.0)
        largest.append(float(max((each[2] for each in inside), default=0)))
    return row + count + total + mean + largest


def updated(account: dict[str, Any], time_ms: int, amount: int, credit: bool) -> dict[str, Any]:
    """The account with the event: tiles by number, as JSON has them."""
    windows = account.get("windows", [{}, {}, {}])
    heads = account.get("heads", [0, 0, 0])
    if not credit:
        for number, (size, length) in enumerate(WINDOWS):
            tile = time_ms // size
            if tile <= heads[number] - length:
                continue
            heads[number] = max(heads[number], tile)
            tiles = {at: each for at, each in windows[number].items() if int(at) > heads[number] - length}
            before = tiles.get(str(tile), [0, 0, 0])
            tiles[str(tile)] = [before[0] + 1, before[1] + amount, max(before[2], amount)]
            windows[number] = tiles
    last = max(account.get("last", time_ms), time_ms)
    return {"last": last, "events": account.get("events", 0) + 1, "windows": windows, "heads": heads}


@app.agent(transactions)
async def watch(stream: faust.StreamT[bytes]) -> None:
    async for event in stream.events():
        transaction = read_transaction(event.value)
        amount = given.base_amount(transaction["amount_minor"], transaction["currency"])
        credit = transaction["direction"] == "credit"
        name, time_ms = transaction["account_id"], transaction["event_time"]
        account = accounts[name]
        row = features(account, time_ms, amount, credit)
        score = -float(model.score_samples([row])[0])
        accounts[name] = updated(account, time_ms, amount, credit)
        if score >= given.threshold:
            where = event.message
            await alerts.send(key=event.key, value=given.alert(transaction, score, where.partition, where.offset))
        progress.add()


if __name__ == "__main__":
    progress.begin()
    sys.argv = ["faust", "worker", "-l", "warn", "--without-web"]
    app.main()
