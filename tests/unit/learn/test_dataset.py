from dataclasses import replace

import numpy as np
import pytest

from monitor.errors import DatasetError
from monitor.features.catalogue import ACCOUNT_FEATURES, INDEX
from monitor.learn.dataset import replay
from monitor.learn.sources import simulated
from monitor.risk.entities import DEVICE, MERCHANT
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate

SPEC = SimulationSpec(seed=5, transactions=3_000, duplicates=0.01)


def test_a_replay_gives_one_row_for_each_transaction_that_is_no_retry(exchange):
    data = replay(simulated(generate(SPEC)), exchange)
    sent = [batch.transaction_id for batch in generate(SPEC)]
    assert data.features.shape == (len(data), len(ACCOUNT_FEATURES))
    assert 0.98 * SPEC.transactions < len(data) < sum(map(len, sent))


def test_features_and_digest_do_not_depend_on_how_the_stream_is_cut(exchange):
    batches = list(generate(SPEC))
    cut = [batch.rows(slice(at, at + 17)) for batch in batches for at in range(0, len(batch), 17)]
    whole, pieces = replay(simulated(batches), exchange), replay(simulated(cut), exchange)
    assert whole.features.tobytes() == pieces.features.tobytes()
    assert whole.account.tobytes() == pieces.account.tobytes()
    assert whole.digest == pieces.digest


def test_another_seed_has_another_digest(exchange, data):
    assert replay(simulated(generate(SPEC)), exchange).digest != data.digest


def test_features_are_strictly_from_the_past(data):
    first = np.unique(data.account, return_index=True)[1]
    assert (data.features[first, INDEX["events_total"]] == 0).all()
    assert (data.features[first, INDEX["mean_amount"]] == 0).all()


def test_a_split_leaves_no_row_of_the_later_part_in_the_earlier(data):
    middle = int(np.median(data.event_time))
    before, after = data.split(middle)
    assert before.event_time.max() < middle <= after.event_time.min()
    assert len(before) + len(after) == len(data)
    assert before.fraud.sum() + after.fraud.sum() == data.fraud.sum() > 0


def test_nothing_to_replay_is_an_error(exchange):
    with pytest.raises(DatasetError, match="there are none"):
        replay([], exchange)


def test_what_is_rejected_is_counted_by_reason_and_says_why_when_nothing_is_left(exchange):
    batches = list(generate(SPEC))
    spoilt = [replace(batch, currency=np.full(len(batch), b"XYZ")) for batch in batches[:1]]
    data = replay(simulated([*spoilt, *batches[1:], *batches[:1]]), exchange)
    assert data.rejected == {"unknown_currency": len(batches[0])}
    with pytest.raises(DatasetError, match=f"{len(batches[0])} unknown_currency"):
        replay(simulated(spoilt), exchange)


def test_rows_say_which_payment_of_the_source_they_were(exchange):
    data = replay(simulated(generate(SPEC)), exchange)
    times = np.concatenate([batch.event_time for batch in generate(SPEC)])
    assert data.event_time.tolist() == times[data.row].tolist()
    assert data.duplicates == SPEC.transactions - len(data) > 0


def test_a_replay_keeps_the_features_it_is_asked_for(data, exchange):
    names = ("pace_ratio", "amount_z")
    few = replay(simulated(generate(SimulationSpec(seed=5, transactions=9_000))), exchange, names)
    assert few.features.tobytes() == data.matrix(names).tobytes()
    with pytest.raises(DatasetError, match="new_device: not kept"):
        few.matrix(("pace_ratio", "new_device"))


def test_entities_and_rails_are_those_of_the_payments(exchange):
    data = replay(simulated(generate(SPEC)), exchange, ())
    batches = list(generate(SPEC))
    for kind, column in ((MERCHANT, "merchant_id"), (DEVICE, "device_id")):
        given = np.concatenate([getattr(batch, column) for batch in batches])[data.row].tolist()
        known = np.flatnonzero(data.entities[:, kind] >= 0)
        names = data.entity_names[kind].keys(data.entities[known, kind].astype(np.int64))
        assert names == [given[row] for row in known.tolist()]
        assert not any(given[row] for row in np.flatnonzero(data.entities[:, kind] < 0).tolist())
    assert data.channel.tolist() == np.concatenate([batch.channel for batch in batches])[data.row].tolist()
