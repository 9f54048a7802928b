"""What runs are decided with, from settings and files."""

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from monitor.clock import ManualClock
from monitor.controls.controls import NO_CONTROLS, Controls
from monitor.deciding import DecidingContext
from monitor.errors import ExchangeError, SchemaError
from monitor.guard.reasons import Reason
from monitor.rails.walled import NONE_WALLED, Walled
from monitor.resources import shipped
from monitor.rules.stored import publish
from monitor.settings import UNSAFE_HASH_KEY, load_settings
from monitor.versions import set_pointer
from monitor.wire.decode import Reader
from monitor.wire.framing import frame
from monitor.wire.hashing import HashKey, hash_bytes
from monitor.wire.records import Record, Records
from tests.watched import WATCHED


def deciding(**values) -> DecidingContext:
    return DecidingContext(load_settings(environ={}, overrides=values), ManualClock())


@pytest.fixture(scope="module")
def shipped_deciding():
    return deciding()


def test_settings_reach_the_context():
    made = deciding(
        app_id="payments",
        topic_alerts="a",
        topic_dlq="d",
        topic_audit="u",
        hash_key="0f" * 16,
        max_amount_minor=123_456,
        future_skew_s=7,
        idle_ttl_days=11,
        max_value_bytes=50_000,
        dlq_max_bytes=60_000,
    ).context
    assert (made.names.app_id, made.names.alerts, made.names.dlq, made.names.audit) == ("payments", "a", "d", "u")
    assert made.names.changelog == "payments-account-state-changelog"
    assert made.hash_key == HashKey.parse("0f" * 16)
    assert (made.limits.max_amount_minor, made.limits.future_skew_ms) == (123_456, 7_000)
    assert made.idle_ttl_ms == 11 * 86_400_000
    assert (made.max_value_bytes, made.dlq_max_bytes) == (50_000, 60_000)


def test_the_shipped_model_is_served_and_named_in_the_versions(shipped_deciding):
    model = shipped_deciding.model
    assert model is not None
    assert shipped_deciding.context.model is model
    assert shipped_deciding.versions["model"] == model.version
    assert shipped_deciding.versions["feature_set"] == model.feature_set
    assert shipped_deciding.versions["exchange"]


def test_a_model_that_is_missing_is_degradation_and_no_error(tmp_path):
    made = deciding(models_dir=tmp_path)
    assert made.model is None
    assert made.context.model is None
    assert made.versions["model"] == ""


def test_a_model_that_was_altered_is_refused(tmp_path):
    models = tmp_path / "models"
    shutil.copytree(shipped("models"), models, symlinks=True)
    for arrays in models.glob("*/forest.npz"):
        content = bytearray(arrays.read_bytes())
        content[len(content) // 2] ^= 1
        arrays.write_bytes(content)
    assert deciding(models_dir=models).model is None


def test_an_exchange_table_that_is_malformed_is_an_error(tmp_path):
    table = tmp_path / "rates.toml"
    table.write_text("base = 5")
    with pytest.raises(ExchangeError):
        deciding(exchange_rates=table)


def test_a_directory_without_our_schemas_is_an_error(tmp_path):
    with pytest.raises(SchemaError):
        deciding(schemas_dir=tmp_path)


def records(*values):
    return Records.of([Record(offset, b"k", value) for offset, value in enumerate(values)])


def test_a_run_gets_the_readers_its_records_name_and_unknown_ids_their_reason(shipped_deciding):
    context = shipped_deciding.for_records(records(frame(1, b"x"), frame(77, b"x"), frame(-3, b"x")))
    assert isinstance(context.readers[1], Reader)
    assert context.readers[77] == Reason.UNKNOWN_SCHEMA
    assert -3 not in context.readers, "no registry gives out negative ids, so none is asked"
    assert context.model is shipped_deciding.model


def test_values_without_a_header_ask_for_nothing():
    made = deciding()
    assert dict(made.for_records(records(None, b"", b"\0", b"\1\0\0\0\1payload")).readers) == {}


async def test_in_an_event_loop_it_comes_to_the_same(shipped_deciding):
    run = records(frame(1, b"x"), frame(78, b"x"), b"", None)
    with ThreadPoolExecutor(max_workers=1) as executor:
        for _ in range(2):  # asked for, and known
            context = await shipped_deciding.for_run(run, executor)
            assert isinstance(context.readers[1], Reader)
            assert context.readers[78] == Reason.UNKNOWN_SCHEMA


async def test_a_run_is_decided_with_the_rails_that_are_walled_off_then_and_its_block_names_them(shipped_deciding):
    with ThreadPoolExecutor(max_workers=1) as executor:
        walled = Walled(frozenset({3}))
        behind = await shipped_deciding.for_run(Records.of([]), executor, lambda: walled)
        open_ = await shipped_deciding.for_run(Records.of([]), executor)
    assert behind.walled is walled
    assert behind.versions == {**shipped_deciding.versions, "rails": "wallet=review"}
    assert (open_.walled, open_.versions["rails"]) == (NONE_WALLED, "")


async def test_a_rail_that_is_walled_off_while_a_schema_is_asked_for_is_walled_off_for_that_run(shipped_deciding):
    walled, run = [NONE_WALLED], records(frame(79, b"x"))
    with ThreadPoolExecutor(max_workers=1) as executor:
        coming = asyncio.create_task(shipped_deciding.for_run(run, executor, lambda: walled[-1]))
        await asyncio.sleep(0)
        walled.append(Walled(frozenset({3})))
        assert (await coming).walled is walled[-1]


def test_controls_are_taken_whole_and_the_rules_are_made_ready_anew_only_for_other_words(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(WATCHED)
    publish(tmp_path / "rules", path)
    set_pointer(tmp_path / "rules", "current", "1")
    made = deciding(rules_dir=tmp_path / "rules")
    assert (made.context.controls, made.versions["controls"]) == (NO_CONTROLS, "")
    bare = made.context.rules
    made.take(Controls("0@ab", rails={"card": "walled"}))
    assert (made.context.controls.rails, made.versions["controls"]) == ({"card": "walled"}, "0@ab")
    assert made.context.rules is bare
    made.take(Controls("1@cd", lists={"watched": ("a-1",)}))
    assert made.context.rules is not bare
    path.write_text(WATCHED.replace('"1"', '"2"'))
    publish(tmp_path / "rules", path)
    set_pointer(tmp_path / "rules", "current", "2")
    assert made.look()
    assert made.versions["controls"] == "1@cd"
    assert made.context.rules.ruleset.version == "2"
    hashes = np.array([hash_bytes(b"a-1", HashKey.parse(UNSAFE_HASH_KEY)), 5], np.uint64)
    assert made.context.rules.held(OnlyAccounts(hashes)).rows.tolist() == [0]


class OnlyAccounts:
    """Cells of transactions of which only the account is looked at."""

    def __init__(self, hashes):
        self._hashes = hashes

    def __len__(self):
        return len(self._hashes)

    def text(self, name):
        assert name == "account_id"
        return self._hashes
