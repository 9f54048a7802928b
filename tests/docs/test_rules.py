"""docs/rules.md names every name a rule may use, and its example is one."""

import re
from pathlib import Path

from monitor.rules.cases import run_cases
from monitor.rules.names import FEATURES, NAMES
from monitor.rules.rule_file import read_rules

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text()
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


def test_every_name_beside_the_features_stands_there():
    table = PAGE.split("## Names")[1].split("## What is done")[0]
    named = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == set(NAMES) - set(FEATURES)


def test_every_word_of_a_field_of_few_words_stands_there():
    for named in NAMES.values():
        for symbol in (named.symbols[0], named.symbols[-1]) if named.symbols else ():
            assert f"`{symbol}`" in PAGE


def test_the_example_is_a_file_of_rules_and_its_test_passes():
    rules = read_rules(BLOCKS[0], Path("rules.toml"))
    (outcome,) = run_cases(BLOCKS[1], Path("rules.test.toml"), rules)
    assert outcome.passed
