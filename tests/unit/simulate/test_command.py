import pyarrow.parquet
import pytest
from click.testing import CliRunner

from monitor.commands.simulate import simulate
from monitor.errors import SettingsError
from monitor.resources import shipped
from monitor.simulate.kafka import _Schedule
from monitor.simulate.scenarios import SCENARIOS


def run(*arguments):
    return CliRunner().invoke(simulate, [str(argument) for argument in arguments])


def test_the_scenarios_are_listed_with_their_marks():
    result = run("--list-scenarios")
    assert result.exit_code == 0
    assert all(scenario.name in result.output for scenario in SCENARIOS)


def test_the_documentation_describes_every_scenario_and_option():
    text = (shipped("schemas").parent / "docs" / "simulator.md").read_text()
    assert all(f"`{scenario.name}`" in text for scenario in SCENARIOS)
    options = [option for parameter in simulate.params for option in parameter.opts if option.startswith("--")]
    assert [option for option in options if option not in text] == []


def test_chosen_scenarios_are_the_only_ones_in_the_file(tmp_path):
    path = tmp_path / "t.parquet"
    result = run("-n", 5000, "--seed", 2, "--scenario", "slow_drain", "--scenario", "card_testing", "--parquet", path)
    assert result.output == f"5000 transactions to {path}\n"
    seen = set(pyarrow.parquet.read_table(path)["scenario"].to_pylist())
    assert seen == {None, "slow_drain", "card_testing"}


def test_until_moves_the_end_of_the_stream(tmp_path):
    path = tmp_path / "t.parquet"
    assert run("-n", 1000, "--until", "2026-03-01T00:00:00Z", "--parquet", path).exit_code == 0
    last = pyarrow.parquet.read_table(path)["event_time"].to_pylist()[-1].isoformat()
    assert "2026-02-28" < last < "2026-03-01"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--to-kafka", "--csv", "x.csv"),
        ("--csv", "x.csv", "--rate", "5"),
        ("--parquet", "x.parquet", "--corrupt", "0.1"),
        ("--parquet", "x.parquet", "--labels"),
        ("--csv", "x.csv", "--scenario", "card_tasting"),
    ],
)
def test_a_wrong_command_line_exits_with_2(arguments):
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [("--start", "yesterday"), ("--until", "latest"), ("--accounts", 3)])
def test_a_value_out_of_range_is_named(arguments):
    error = run("--csv", "unused.csv", *arguments).exception
    assert isinstance(error, SettingsError)
    assert str(arguments[1]) in str(error)


def test_a_rate_cuts_batches_into_twentieths_of_a_second(batches):
    portions = list(_Schedule(20_000_000.0).portions(batches[0]))
    assert sum(map(len, portions)) == len(batches[0])
    assert [len(p) for p in _Schedule(1e6).portions(batches[0].rows(slice(0, 3)))] == [3]
    assert max(len(p) for p in _Schedule(2_000.0).portions(batches[0].rows(slice(0, 250)))) == 100
