"""What every schema source promises: files, and a real registry."""

import io
import json
import uuid

import fastavro
import httpx
import pytest

from monitor.clock import ManualClock
from monitor.errors import SchemaIncompatible, SchemaUnavailable, SchemaUnknown
from monitor.guard.reasons import Reason
from monitor.resources import shipped
from monitor.settings import load_settings
from monitor.wire.decode import decode
from monitor.wire.framing import frame
from monitor.wire.hashing import HashKey
from monitor.wire.reader import Reader
from monitor.wire.records import Spans
from monitor.wire.schema_cache import ReaderCache
from monitor.wire.schema_files import FileSchemas
from monitor.wire.schema_registry import RegistrySchemas
from monitor.wire.schema_source import open_source

OURS = (shipped("schemas") / "transaction.avsc").read_text()
EVOLVED = json.dumps(
    json.loads(OURS) | {"fields": [*json.loads(OURS)["fields"], {"name": "risk", "type": "float", "default": 0}]}
)
OTHER = '{"type": "record", "name": "Other", "fields": [{"name": "x", "type": "int"}]}'
NOWHERE = 2**31 - 1


@pytest.fixture
def subject():
    """A subject of this test alone."""
    return f"t-{uuid.uuid4().hex}-value"


@pytest.fixture(params=["files", "registry"])
def source(request, tmp_path, subject):
    """A source that has our schema and an evolved one under `subject`, and may not register more."""
    if request.param == "files":
        ids = {"3": ("ours.avsc", OURS), "8": ("evolved.avsc", EVOLVED)}
        for file, text in ids.values():
            (tmp_path / file).write_text(text)
        index = {each: {"file": file, "subject_suffix": "-value"} for each, (file, _) in ids.items()}
        (tmp_path / "ids.json").write_text(json.dumps(index))
        source = FileSchemas(tmp_path)
    else:
        url = request.getfixturevalue("registry_url")
        registering = RegistrySchemas(url, register=True)
        for text in (OURS, EVOLVED):
            registering.id_of(subject, text)
        registering.close()
        source = RegistrySchemas(url)
    yield source
    source.close()


@pytest.mark.parametrize("text", [OURS, EVOLVED], ids=["ours", "evolved"])
def test_a_schema_comes_back_by_the_id_it_has(source, subject, text):
    found = source.writer_schema(source.id_of(subject, text))

    assert fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(json.loads(found)), "CRC-64-AVRO") == (
        fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(json.loads(text)), "CRC-64-AVRO")
    )
    assert [field.get("default", "none") for field in json.loads(found)["fields"]] == [
        field.get("default", "none") for field in json.loads(text)["fields"]
    ]


def test_an_id_is_the_same_however_often_it_is_asked_for_and_however_the_schema_is_laid_out(source, subject):
    assert source.id_of(subject, OURS) == source.id_of(subject, json.dumps(json.loads(OURS), indent=7))


def test_different_schemas_have_different_ids(source, subject):
    assert source.id_of(subject, OURS) != source.id_of(subject, EVOLVED)


def test_an_id_that_is_nobodys_is_unknown(source):
    with pytest.raises(SchemaUnknown):
        source.writer_schema(NOWHERE)


def test_a_schema_that_is_not_there_is_unknown_and_not_added(source, subject):
    for _ in range(2):
        with pytest.raises(SchemaUnknown, match=subject):
            source.id_of(subject, OTHER)


def test_records_of_both_schemas_are_read_and_those_of_nobodys_are_told_apart(source, subject):
    record = {
        "transaction_id": "t", "account_id": "a", "event_time": 0, "amount_minor": 5, "currency": "EUR", "direction": "debit",
        "channel": "card", "risk": 0.5,
    }  # fmt: skip
    values = []
    for text in (OURS, EVOLVED):
        values.append(frame(source.id_of(subject, text), _encoded(text, record)))
    values.append(frame(NOWHERE, b""))
    cache = ReaderCache(source, ManualClock())

    readers = cache.resolve({int.from_bytes(value[1:5], "big") for value in values})
    columns = decode(Spans.of(values), readers, HashKey.parse("00" * 16), 10_000)

    assert columns.reason.tolist() == [0, 0, Reason.UNKNOWN_SCHEMA]
    assert columns.longs[1].tolist() == [5, 5, 0]


def _encoded(schema, record):
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), record)
    return out.getvalue()


# what only a registry can do


def test_a_registry_registers_what_is_missing_where_that_is_allowed(registry_url, subject):
    registry = RegistrySchemas(registry_url, register=True)

    schema_id = registry.id_of(subject, OTHER)

    assert json.loads(RegistrySchemas(registry_url).writer_schema(schema_id)) == json.loads(OTHER)
    assert registry.id_of(subject, OTHER) == schema_id


def test_a_schema_that_breaks_the_subjects_compatibility_is_refused(registry_url, subject):
    registry = RegistrySchemas(registry_url, register=True)
    registry.id_of(subject, OURS)
    httpx.put(f"{registry_url}/config/{subject}", json={"compatibility": "BACKWARD"}).raise_for_status()
    broken = json.dumps(json.loads(OURS) | {"fields": [*json.loads(OURS)["fields"], {"name": "risk", "type": "float"}]})

    with pytest.raises(SchemaIncompatible):
        registry.id_of(subject, broken)


def test_a_schema_that_is_not_avro_is_incompatible(registry_url, subject):
    body = {
        "schemaType": "JSON",
        "schema": json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}),
    }
    made = httpx.post(f"{registry_url}/subjects/{subject}/versions", json=body).raise_for_status().json()

    with pytest.raises(SchemaIncompatible, match="JSON"):
        RegistrySchemas(registry_url).writer_schema(made["id"])


def test_a_schema_that_refers_to_another_is_incompatible(registry_url, subject):
    httpx.post(f"{registry_url}/subjects/{subject}-money/versions", json={"schema": OTHER}).raise_for_status()
    referring = {"type": "record", "name": "Referring", "fields": [{"name": "o", "type": "Other"}]}
    body = {
        "schema": json.dumps(referring),
        "references": [{"name": "Other", "subject": f"{subject}-money", "version": 1}],
    }
    made = httpx.post(f"{registry_url}/subjects/{subject}/versions", json=body).raise_for_status().json()

    with pytest.raises(SchemaIncompatible, match="Other"):
        RegistrySchemas(registry_url).writer_schema(made["id"])


def test_a_wrong_base_url_is_told_from_an_unknown_schema(registry_url):
    with pytest.raises(SchemaUnavailable, match="/apis/ccompat/v7"):
        RegistrySchemas(registry_url.removesuffix("/apis/ccompat/v7")).writer_schema(1)


def test_the_settings_choose_the_source(registry_url):
    files = open_source(load_settings(environ={}))
    registry = open_source(load_settings(environ={"MONITOR_SCHEMA_REGISTRY_URL": registry_url}))

    assert isinstance(files, FileSchemas)
    assert isinstance(registry, RegistrySchemas)
    cache = ReaderCache(files, ManualClock())
    assert isinstance(cache.resolve({1})[1], Reader)
