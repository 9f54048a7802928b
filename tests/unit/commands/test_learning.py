"""The data scientist's commands, from payments in a file to a model that is served."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from monitor.cli import _exit_code
from monitor.registry import history
from monitor.scoring.artifact import load_model
from monitor.simulate.files import table, write_parquet
from monitor.simulate.spec import SimulationSpec
from monitor.simulate.stream import generate
from monitor.versions import current_version

SPEC = SimulationSpec(seed=8, transactions=25_000, days=80, fraud_share=0.03)
SMALL = ["--trees", "20", "--samples", "256", "--label-delay", "3"]


@pytest.fixture(scope="module")
def payments(tmp_path_factory):
    path = tmp_path_factory.mktemp("payments") / "payments.parquet"
    write_parquet(generate(SPEC), path)
    return path


@pytest.fixture(scope="module")
def directories(tmp_path_factory):
    """models_dir and risk_dir, with a champion trained on the payments."""
    root = tmp_path_factory.mktemp("registry")
    return {"MONITOR_MODELS_DIR": str(root / "models"), "MONITOR_RISK_DIR": str(root / "risk")}


@pytest.fixture
def monitor(directories, monkeypatch, capsys):
    """A function that runs a command line and gives its exit code and output."""
    for name, value in directories.items():
        monkeypatch.setenv(name, value)

    def run(*arguments):
        code = _exit_code([str(each) for each in arguments])
        said = capsys.readouterr()
        return code, re.sub(r"\s+", " ", said.out + said.err)

    return run


@pytest.fixture(scope="module")
def trained(payments, directories):
    """Two versions: `plain`, which is current, and `risky`, with risk beside the forest."""
    models = directories["MONITOR_MODELS_DIR"]
    shared = ["--from", str(payments), "--out", models, *SMALL]
    assert not _exit_code(["train", *shared, "--version", "plain", "--set-current"])
    assert not _exit_code(["train", *shared, "--version", "risky", "--beside", "risk"])
    return Path(models)


def test_a_model_with_risk_beside_it_says_so(trained):
    model = load_model(trained, "risky")
    assert [part.name for part in model.parts] == ["forest", "risk"]
    assert model.feature_set.startswith("lean+risk@")
    assert "and beside it the risk over 2" in (trained / "risky/card.md").read_text()
    assert model.manifest["training"]["label_delay_ms"] == 3 * 86_400_000


def test_a_model_is_evaluated_approved_promoted_and_rolled_back(trained, payments, monitor, tmp_path, monkeypatch):
    for name in ("ann", "ben"):
        assert monitor("audit", "keygen", "--to", tmp_path / name)[0] == 0
    monkeypatch.setenv("MONITOR_MODEL_SIGNERS", f"{tmp_path / 'ann.pub'},{tmp_path / 'ben.pub'}")
    monkeypatch.setenv("MONITOR_MODEL_APPROVALS", "2")
    promote = ("models", "promote", "risky", "--who", "Cid", "--why", "better")
    code, said = monitor(*promote)
    assert code == 66
    assert "no evaluation of risky on record" in said
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    evaluate = ("evaluate", "--model", "risky", "--from", payments, "--label-delay", "3", "--record")
    code, said = monitor(*evaluate, "--report", page, "--json", figures)
    assert code == 0, said
    assert "nothing speaks against risky" in said
    found = json.loads(figures.read_text())
    assert (found["challenger"]["model"], found["champion"]["model"]) == ("risky", "plain")
    assert found["decided_otherwise"] > 0
    html = page.read_text()
    assert html.count("<svg") == 2
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"|<!DOCTYPE[^>]*>', "", html).replace("http://www.w3.org", "")
    for name in ("ann", "ben"):
        assert monitor(*promote)[0] == 66
        sign = ("models", "approve", "risky", "--key", tmp_path / name, "--who", name, "--why", "looked at it")
        assert monitor(*sign)[0] == 0
    code, said = monitor(*promote)
    assert code == 0, said
    assert "approved by ann, ben" in said or "approved by ben, ann" in said
    assert current_version(trained) == "risky"
    assert monitor("models", "verify", "risky")[0] == 0
    assert "fit to be served" in monitor("models", "show", "risky")[1]
    assert "served" in monitor("models", "list")[1]
    monkeypatch.setenv("MONITOR_MODEL_SIGNERS", "")
    assert monitor("models", "rollback", "--who", "Dee", "--why", "too many alerts")[0] == 0
    assert current_version(trained) == "plain"
    assert [step.why for step in history.steps(trained)] == ["better", "too many alerts"]
    assert "too many alerts" in monitor("models", "history")[1]


def test_a_candidate_is_named_and_taken_back(trained, monitor):
    assert monitor("models", "candidate", "risky")[0] == 0
    assert current_version(trained, "candidate") == "risky"
    assert "candidate" in monitor("models", "list")[1]
    assert monitor("models", "candidate", "none")[0] == 0
    assert not (trained / "candidate").exists()


def test_a_model_worse_than_the_champion_fails_its_evaluation(trained, payments, monitor):
    noise = ("--features", "hour_rarity", "--version", "noise")
    assert monitor("train", "--from", payments, "--out", trained, *SMALL, *noise)[0] == 0
    code, said = monitor("evaluate", "--model", "noise", "--against", "plain", "--from", payments, "--record")
    assert code == 1
    assert "against it: its average precision is" in said
    code, said = monitor("models", "promote", "noise", "--who", "Cid", "--why", "")
    assert code == 66
    assert "its evaluation failed" in said


def test_a_backtest_tells_of_all_methods_and_writes_a_page(payments, monitor, tmp_path):
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    ours = [each for name in ("amount alone", "forest", "forest, risk beside") for each in ("--method", name)]
    options = ("--folds", "1", "--seeds", "2", *SMALL, *ours, "--report", page, "--json", figures)
    code, said = monitor("backtest", "--from", payments, *options)
    assert code == 0, said
    found = json.loads(figures.read_text())
    assert len(found["tried"]) == 6
    assert {"command", "payments", "data_sha256", "folds"} < set(found)
    html = page.read_text()
    for name in ("amount alone", "forest, risk beside", "Recall by scenario", "card_testing", found["data_sha256"]):
        assert name in html


def test_a_snapshot_of_risk_is_built_from_what_was_known_and_listed(payments, monitor, directories):
    end = table(list(generate(SPEC))[-1])["event_time"].to_pylist()[-1].date().isoformat()
    code, said = monitor("risk", "build", "--from", payments, "--effective", end, "--label-delay", "3")
    assert code == 0, said
    assert (Path(directories["MONITOR_RISK_DIR"]) / end / "figures.npz").exists()
    assert "merchants" in said
    code, said = monitor("risk", "list")
    assert code == 0
    assert end in said
    assert monitor("risk", "build", "--from", payments, "--effective", "soon")[0] == 78


def test_labels_are_checked_before_they_are_written(payments, monitor, tmp_path):
    whole = pyarrow.parquet.read_table(payments)
    frauds = whole.filter(whole["is_fraud"]).slice(0, 50)
    columns = {name: frauds[name] for name in ("transaction_id", "account_id", "merchant_id", "label_time")}
    good = pa.table({**columns, "label": ["fraud"] * 50, "source": ["analyst"] * 50})

    def check(labels, *options):
        path = tmp_path / "labels.parquet"
        pyarrow.parquet.write_table(labels, path)
        return monitor("labels", "import", "--from", path, "--dry-run", *options)

    assert check(good, "--payments", payments) == (0, "50 labels, 50 of fraud, checked ")
    unknown = good.set_column(0, "transaction_id", pa.array(["t-none", *good["transaction_id"].to_pylist()[1:]]))
    code, said = check(unknown, "--payments", payments)
    assert code == 65
    assert "1 labels of transactions that are not among the payments: t-none" in said
    early = good.set_column(3, "label_time", pa.array([0] * 50, pa.timestamp("ms", tz="UTC")))
    assert "50 labels from before their transaction" in check(early, "--payments", payments)[1]
    both = pa.concat_tables([good, good.set_column(4, "label", pa.array(["genuine"] * 50))])
    assert "is fraud and genuine at" in check(both)[1]
    assert "columns source missing" in check(good.drop_columns("source"))[1]
    assert (
        "label: 'perhaps'; write fraud or genuine" in check(good.set_column(4, "label", pa.array(["perhaps"] * 50)))[1]
    )
    assert "label_time: int64, expected a timestamp" in check(good.set_column(3, "label_time", pa.array(range(50))))[1]
    assert "account_id: null in 50 rows" in check(good.set_column(1, "account_id", pa.nulls(50, pa.string())))[1]
