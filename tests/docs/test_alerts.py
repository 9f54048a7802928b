"""docs/alerts.md tells of each field of an alert; its examples are what the shipped model and the example rules say, and they name the cause."""

import re
from pathlib import Path

import pytest

from monitor.effects.alerts import alert_schema
from monitor.simulate.scenarios import NAMES
from monitor.state.dispositions import Lacking
from tests.alert_examples import LISTED, attribution_row, fraud_alerts, strangest

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()

DEVICE, COUNTRY = "a device this account has not used", "a country this account has not been in"

CAUSES = {
    "account_takeover": (DEVICE,),
    "card_testing": (r"\d+ unusually small debits in 15 min",),
    "merchant_compromise": (DEVICE, COUNTRY),
    "slow_drain": (r"the last \d+ payments known of C\d+ were all fraud",),
    "mule_fan_in": (r"\d+ credits received in 24 h",),
}
"""What a person would name, all of it."""

LATER = {
    "account_takeover": ("times this account's usual amount",),
    "card_testing": (DEVICE, "debits in the 5 minutes before"),
    "merchant_compromise": ("another country than", "times its usual pace"),
    "slow_drain": (),
    "mule_fan_in": (),
}
"""What names it as well, where an incident has begun or goes on: the device is known by then, or nothing small was paid yet."""


def fields_in(section):
    rows = re.findall(r"^\| (`[^|]*) \|", PAGE.split(section)[1].split("\n\n")[1], re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`(\w+)`", row)]


def names_of(schema):
    return [field["name"] for field in schema["fields"]]


def items_of(name):
    return next(field["type"]["items"] for field in alert_schema()["fields"] if field["name"] == name)


def test_every_field_stands_there_in_the_order_of_the_schema():
    assert fields_in("goes on reading.") == names_of(alert_schema())
    assert fields_in("Of a rule that held:") == names_of(items_of("rule_hits"))
    assert fields_in("Of an attribution:") == names_of(items_of("attributions"))


def test_everything_that_can_be_missing_stands_there():
    assert fields_in("## What was missing")[1:] == [bit.name.lower() for bit in Lacking]


@pytest.fixture(scope="module")
def alerts():
    return fraud_alerts()


@pytest.fixture(scope="module")
def examples(alerts):
    return strangest(alerts)


def test_the_examples_are_what_is_said(examples):
    expected = [examples[name].row for name in NAMES[1:]]
    rows = [line for line in PAGE.split("## Examples")[1].splitlines() if line.startswith("| `")]
    assert rows == expected, "the rows to put into docs/alerts.md:\n" + "\n".join(expected)


def test_the_attributions_shown_are_those_of_the_example(examples):
    expected = [attribution_row(each) for each in examples["card_testing"].alert["attributions"][:LISTED]]
    found = PAGE.split("its three strongest:")[1].split("\n\n")[1].splitlines()[2:]
    assert found == expected, "the rows to put into docs/alerts.md:\n" + "\n".join(expected)


@pytest.mark.parametrize("scenario", NAMES[1:])
def test_an_example_names_the_cause_that_a_person_would_name(examples, scenario):
    text = "; ".join(examples[scenario].alert["reasons"])
    assert [cause for cause in CAUSES[scenario] if not re.search(cause, text)] == []


@pytest.mark.parametrize("scenario", NAMES[1:])
def test_nine_of_ten_alerts_name_a_cause(alerts, scenario):
    texts = ["; ".join(each.alert["reasons"]) for each in alerts if each.scenario == scenario]
    named = [any(re.search(cause, text) for cause in (*CAUSES[scenario], *LATER[scenario])) for text in texts]
    assert len(named) >= 10
    assert sum(named) >= 0.9 * len(named), [text for text, told in zip(texts, named, strict=True) if not told]
