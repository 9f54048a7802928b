"""What the doctor says of schemas, model and exchange table."""

from monitor.commands.checks.artifacts import check_exchange, check_model, check_rules, check_schemas
from monitor.keys import make_key
from monitor.rules.stored import publish
from monitor.settings import Settings
from monitor.versions import set_pointer


def test_the_shipped_schemas_are_known_and_readable():
    finding = check_schemas(Settings())
    assert finding.status == "ok", finding
    assert "transactions-value" in finding.what


def test_a_directory_without_schemas_fails(tmp_path):
    assert check_schemas(Settings(schemas_dir=tmp_path)).status == "fail"


def test_a_registry_that_does_not_answer_fails():
    finding = check_schemas(Settings(schema_registry_url="http://127.0.0.1:1"))
    assert finding.status == "fail"
    assert "schema_registry_url" in finding.fix


def test_a_missing_model_fails(tmp_path):
    finding = check_model(Settings(models_dir=tmp_path))
    assert finding.status == "fail"
    assert "monitor train" in finding.fix


def test_a_model_that_nobody_approved_fails_where_somebody_must(tmp_path):
    public, _ = make_key(tmp_path / "ann.key", None)
    finding = check_model(Settings(model_signers=str(public)))
    assert finding.status == "fail"
    assert "0 valid approvals of the 1 needed" in finding.what


def test_rules_are_none_or_those_in_force_or_refused(tmp_path):
    settings = Settings(rules_dir=tmp_path / "rules")
    assert (check_rules(settings).status, check_rules(settings).what) == ("ok", f"{tmp_path / 'rules'}: none in force")
    path = tmp_path / "rules.toml"
    path.write_text('version = "r-1"')
    publish(tmp_path / "rules", path)
    set_pointer(tmp_path / "rules", "current", "r-1")
    assert check_rules(settings).what == "r-1: no rules"
    (tmp_path / "rules" / "r-1" / "rules.toml").write_text("")
    assert check_rules(settings).status == "fail"
    assert check_rules(Settings(rules_signers="missing.pub")).status == "fail"


def test_the_shipped_exchange_table_is_a_sample_and_warned_of():
    finding = check_exchange(Settings())
    assert finding.status == "warn"
    assert "sample" in finding.what


def test_a_table_of_ones_own_is_ok_and_a_broken_one_fails(tmp_path):
    rates = tmp_path / "rates.toml"
    rates.write_text('version = "mine"\nbase = "EUR"\nas_of = 2026-01-31\n[rates]\nUSD = "0.85"\n')
    assert check_exchange(Settings(exchange_rates=rates)).status == "ok"
    rates.write_text("version = 1\n")
    assert check_exchange(Settings(exchange_rates=rates)).status == "fail"
