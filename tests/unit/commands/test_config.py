"""`monitor config`."""

import json
import tomllib

import pytest
from click.testing import CliRunner

from monitor.commands.config import config, warnings
from monitor.commands.settings_reference import markdown, plain, sections, toml_template
from monitor.errors import SettingsError
from monitor.settings import Settings, load_settings


def invoke(*arguments: str, path=None, **environ: str):
    return CliRunner().invoke(config, list(arguments), obj=path, env=environ)


def test_show_tells_value_and_source_of_every_setting():
    result = invoke("show", "--json", MONITOR_WARMUP_S="9")
    shown = json.loads(result.output)
    assert set(shown) == set(Settings.model_fields)
    assert shown["warmup_s"] == {"value": 9, "source": "environment"}
    assert shown["brokers"] == {"value": "127.0.0.1:9092", "source": "default"}


def test_show_masks_secrets_in_both_forms():
    secret = "ab" * 16
    for arguments in (["show"], ["show", "--json"]):
        output = invoke(*arguments, MONITOR_HASH_KEY=secret).output
        assert secret not in output
        assert "***" in output


def test_a_wrong_setting_is_raised_for_the_edge_to_report():
    result = invoke("check", MONITOR_BROKERS="nonsense")
    assert isinstance(result.exception, SettingsError)


def test_check_passes_on_the_defaults_and_warns_of_the_hash_key():
    result = invoke("check")
    assert result.exit_code == 0, result.output
    assert "warn  hash_key = zeros" in result.output


def test_check_leaves_with_1_when_a_named_file_is_not_there(tmp_path):
    absent = tmp_path / "rates.toml"
    result = invoke("check", MONITOR_EXCHANGE_RATES=str(absent), MONITOR_SCHEMAS_DIR=str(tmp_path / "none"))
    assert result.exit_code == 1
    assert f"fail  exchange_rates = {absent}: no such file" in result.output
    assert "fail  schemas_dir" in result.output


def test_plaintext_to_another_machine_is_warned_of_even_when_allowed():
    settings = load_settings(environ={}, overrides={"brokers": "kafka:9092", "allow_plaintext": True})
    assert any("unencrypted to kafka:9092" in warning for warning in warnings(settings))


def test_init_writes_a_file_that_loads_as_the_defaults(tmp_path):
    file = tmp_path / "monitor.toml"
    assert invoke("init", str(file)).exit_code == 0
    assert load_settings(file, {}) == Settings()
    assert all(f"# {name} = " in file.read_text() for name in Settings.model_fields)


def test_init_never_overwrites(tmp_path):
    file = tmp_path / "monitor.toml"
    file.write_text("warmup_s = 1\n")
    result = invoke("init", str(file))
    assert isinstance(result.exception, SettingsError)
    assert "exists already" in str(result.exception)
    assert file.read_text() == "warmup_s = 1\n"


def test_init_names_a_place_that_cannot_be_written(tmp_path):
    result = invoke("init", str(tmp_path / "no" / "such" / "monitor.toml"))
    assert isinstance(result.exception, SettingsError)
    assert "cannot be written" in str(result.exception)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_line_of_the_template_is_toml_and_valid_when_uncommented(name):
    (line,) = [line for line in toml_template().splitlines() if line.startswith(f"# {name} = ")]
    values = tomllib.loads(line.removeprefix("# "))
    others = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "u",
        "sasl_password": "p",
        "ssl_certificate": "c.pem",
    }
    needs = others if name.startswith(("sasl_", "ssl_")) else {}
    load_settings(environ={}, overrides=needs | values)


def test_the_reference_covers_every_setting_once():
    assert sorted(name for _, names in sections() for name in names) == sorted(Settings.model_fields)
    assert all(title for title, _ in sections())
    assert all(f"`MONITOR_{name.upper()}`" in markdown() for name in Settings.model_fields)


def test_the_reference_names_nothing_of_this_machine():
    schemas = str(Settings().schemas_dir)
    assert schemas not in markdown()
    assert schemas not in toml_template()


def test_a_plain_value_is_one_that_json_knows():
    settings = Settings()
    assert all(
        isinstance(plain(getattr(settings, name)), (str, int, float, type(None))) for name in Settings.model_fields
    )
