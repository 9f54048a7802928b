from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest

from monitor.simulate.places import CURRENCIES, MINOR_PER_CENT, PLACES
from monitor.simulate.scenarios import BY_NAME, SCENARIOS
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.wire.columns import CREDIT, DEBIT

SPEC = SimulationSpec(seed=11, transactions=30_000)
MINUTE, HOUR = 60_000, 3_600_000
PER_CENT = {place.currency: factor / 1000 for place, factor in zip(PLACES, MINOR_PER_CENT.tolist(), strict=True)}


@pytest.fixture(scope="module")
def alone(rows_of):
    """All rows of a stream with one scenario only, by account."""

    def read(name):
        accounts = defaultdict(list)
        for row in rows_of(generate(replace(SPEC, scenarios=((name, 1.0),)))):
            accounts[row["account_id"]].append(row)
        return accounts

    return read


def hit(accounts):
    """The fraudulent rows of each account that has some: one incident an account."""
    frauds = {account: [row for row in rows if row["is_fraud"]] for account, rows in accounts.items()}
    found = {account: rows for account, rows in frauds.items() if rows}
    assert len(found) >= 3
    return found


def cents(row):
    return row["amount_minor"] / PER_CENT[row["currency"]]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_a_scenario_alone_yields_only_its_own_label_and_its_share(scenario, alone):
    frauds = [row for rows in hit(alone(scenario.name)).values() for row in rows]
    assert {row["scenario"] for row in frauds} == {scenario.code}
    assert len(frauds) / SPEC.transactions == pytest.approx(SPEC.fraud_share, rel=0.2)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_even_a_tiny_stream_has_an_incident(scenario):
    spec = SimulationSpec(transactions=1000, scenarios=((scenario.name, 1.0),))
    assert any(batch.is_fraud.any() for batch in generate(spec))


def test_card_testing_tries_tiny_sums_at_distinct_shops_then_a_large_one(alone):
    for rows in hit(alone("card_testing")).values():
        *tiny, large = rows
        assert len(tiny) >= 8
        assert tiny[-1]["event_time"] - tiny[0]["event_time"] <= 15 * MINUTE
        assert len({row["merchant_id"] for row in tiny}) == len(tiny)
        assert all(cents(row) <= 200 and row["direction"] == DEBIT for row in tiny)
        assert cents(large) > 20 * max(cents(row) for row in tiny)
        assert large["event_time"] - tiny[-1]["event_time"] <= 21 * MINUTE


def test_an_account_takeover_uses_one_new_device_and_asks_for_more_each_time(alone):
    accounts = alone("account_takeover")
    for account, rows in hit(accounts).items():
        (device,) = {row["device_id"] for row in rows}
        assert device not in {row["device_id"] for row in accounts[account] if not row["is_fraud"]}
        amounts = [row["amount_minor"] for row in rows]
        assert amounts == sorted(set(amounts))
        assert len(rows) >= 4
        assert rows[-1]["event_time"] - rows[0]["event_time"] <= 3 * HOUR


def test_a_compromised_merchant_was_visited_by_all_its_victims_before(alone):
    accounts = alone("merchant_compromise")
    victims = hit(accounts)
    before = []
    for account, rows in victims.items():
        past = [row for row in accounts[account] if row["event_time"] < rows[0]["event_time"] and not row["is_fraud"]]
        before.append({row["merchant_id"] for row in past if row["direction"] == DEBIT} - {None})
    leaking, left = [], before
    while left:  # the merchant that explains most victims, then the next
        _, merchant = max((sum(merchant in seen for seen in left), merchant) for merchant in set.union(*left))
        leaking.append(merchant)
        left = [seen for seen in left if merchant not in seen]
    assert len(leaking) <= SPEC.transactions * SPEC.fraud_share // 60
    assert len(victims) > 15 * len(leaking)
    assert not {row["merchant_id"] for rows in victims.values() for row in rows} & set(leaking)


def test_a_slow_drain_goes_to_one_new_counterparty_at_even_distances(alone):
    accounts = alone("slow_drain")
    for account, rows in hit(accounts).items():
        (partner,) = {row["merchant_id"] for row in rows}
        assert partner not in {row["merchant_id"] for row in accounts[account] if not row["is_fraud"]}
        assert len(rows) >= 6
        gaps = [b["event_time"] - a["event_time"] for a, b in pairwise(rows)]
        assert max(gaps) - min(gaps) <= 2 * HOUR
        assert min(gaps) > 6 * HOUR
        assert max(row["amount_minor"] for row in rows) <= 1.2 * min(row["amount_minor"] for row in rows)


def test_a_mule_gathers_from_many_and_passes_most_of_it_on(alone):
    for rows in hit(alone("mule_fan_in")).values():
        money_in = [row for row in rows if row["direction"] == CREDIT]
        money_out = [row for row in rows if row["direction"] == DEBIT]
        assert len(money_in) >= 6
        assert len({row["merchant_id"] for row in money_in}) == len(money_in)
        assert money_in[-1]["event_time"] - money_in[0]["event_time"] <= 6 * HOUR
        assert money_in[-1]["event_time"] < money_out[0]["event_time"]
        assert money_out[-1]["event_time"] - money_in[-1]["event_time"] <= 2 * HOUR
        assert 0.8 <= sum(r["amount_minor"] for r in money_out) / sum(r["amount_minor"] for r in money_in) < 1


def test_every_scenario_says_what_it_is_and_has_its_own_code():
    assert len({scenario.code for scenario in SCENARIOS}) == len(SCENARIOS) == len(BY_NAME)
    assert all(scenario.about and scenario.mark for scenario in SCENARIOS)
    assert set(PER_CENT) == set(CURRENCIES)
