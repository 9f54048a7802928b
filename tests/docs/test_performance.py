"""Tables of measurements in the pages are those of the files in benchmarks/results, so that nobody reads figures that nobody measured."""

import json
from pathlib import Path

from benchmarks import curves_report, detection, profile
from benchmarks.markers import text_between
from benchmarks.race import report

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = (ROOT / "docs" / "performance.md").read_text()


def results(name: str) -> dict[str, object]:
    return json.loads((RESULTS / f"{name}.json").read_text())


def test_the_race_in_the_readme_is_the_one_that_was_run():
    assert text_between((ROOT / "README.md").read_text(), "race") == report.table(results("latest"))


def test_the_curves_are_those_that_were_measured():
    assert text_between(PAGE, "curves") == curves_report.table(results("curves"))


def test_the_profile_is_the_one_that_was_taken():
    assert text_between(PAGE, "profile") == profile.table(results("profile"))


def test_what_is_found_on_the_simulator_is_what_was_measured():
    page = (ROOT / "docs" / "detection.md").read_text()
    assert text_between(page, "detection") == detection.table(results("detection"))
