import pytest

from monitor.errors import SettingsError
from monitor.simulate.spec import DAY_MS, SimulationSpec


def test_accounts_get_enough_past_by_default():
    spec = SimulationSpec(transactions=50_000)
    assert spec.account_count == 833
    assert spec.duration_ms == pytest.approx(30 * DAY_MS, rel=0.01)


def test_the_time_covered_stays_between_two_weeks_and_400_days():
    assert SimulationSpec(transactions=1000, accounts=1000).duration_ms == 14 * DAY_MS
    assert SimulationSpec(transactions=100_000, accounts=10).duration_ms == 400 * DAY_MS
    assert SimulationSpec(days=2.5).end_ms - SimulationSpec().start_ms == 2.5 * DAY_MS


def test_scenarios_share_the_fraud_by_intensity():
    spec = SimulationSpec(
        transactions=100_000, fraud_share=0.01, scenarios=(("slow_drain", 3.0), ("card_testing", 1.0))
    )
    assert spec.fraud_budget == (("slow_drain", 750), ("card_testing", 250))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("transactions", 0),
        ("accounts", 9),
        ("days", 0.0),
        ("start_ms", -1),
        ("fraud_share", 0.3),
        ("duplicates", -0.1),
        ("late", 1.0),
        ("corrupt", float("nan")),
        ("scenarios", (("card_tasting", 1.0),)),
        ("scenarios", (("card_testing", 0.0),)),
        ("scenarios", (("card_testing", 1.0), ("card_testing", 1.0))),
    ],
)
def test_a_field_out_of_range_is_named(field, value):
    with pytest.raises(SettingsError, match=field.removesuffix("s")):
        SimulationSpec(**{field: value})
