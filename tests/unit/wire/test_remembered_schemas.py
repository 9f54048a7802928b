"""What a source answered before counts while it is away, and never before it."""

import json

import pytest

from monitor.errors import SchemaIncompatible, SchemaUnavailable, SchemaUnknown
from monitor.wire.remembered_schemas import RememberedSchemas

SCHEMA = '{"type": "string"}'


class Registry:
    """Answers until it is away."""

    def __init__(self):
        self.away, self.schemas, self.ids, self.closed = False, {1: SCHEMA}, {"t-value": 1}, False

    def writer_schema(self, schema_id):
        return self._answer(self.schemas, schema_id)

    def id_of(self, subject, _schema):
        return self._answer(self.ids, subject)

    def close(self):
        self.closed = True

    def _answer(self, known, key):
        if self.away:
            raise SchemaUnavailable("away")
        if key not in known:
            raise SchemaUnknown("no such thing")
        return known[key]


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def opened(registry, tmp_path):
    """A function: the memory as a process finds it; `heard` is what it told."""

    def make(where="http://r"):
        return RememberedSchemas(registry, where, tmp_path / "data" / "schemas.json", made_heard.append)

    made_heard = []
    make.heard = made_heard
    return make


def test_another_process_knows_what_was_answered_while_the_source_is_away(registry, opened):
    first = opened()
    assert (first.writer_schema(1), first.id_of("t-value", SCHEMA)) == (SCHEMA, 1)
    registry.away = True
    again = opened()
    assert again.writer_schema(1) == SCHEMA
    assert again.id_of("t-value", '{ "type":"string" }') == 1, "layout is no difference"
    assert opened.heard == [False, False, True, True]


def test_what_was_never_answered_is_not_known(registry, opened):
    opened().writer_schema(1)
    registry.away = True
    for ask in (lambda: opened().writer_schema(2), lambda: opened().id_of("t-value", SCHEMA)):
        with pytest.raises(SchemaUnavailable):
            ask()
    registry.away = False
    with pytest.raises(SchemaUnknown):
        opened().writer_schema(2)
    assert opened.heard[-1] is False, "no is an answer"


def test_the_source_goes_before_the_memory(registry, opened):
    opened().writer_schema(1)
    registry.schemas[1] = '"int"'
    assert opened().writer_schema(1) == '"int"'
    registry.away = True
    assert opened().writer_schema(1) == '"int"'
    registry.away, registry.schemas[1] = False, SCHEMA
    incompatible = opened()
    registry.writer_schema = lambda _id: (_ for _ in ()).throw(SchemaIncompatible("protobuf"))
    with pytest.raises(SchemaIncompatible):
        incompatible.writer_schema(1)


def test_of_another_source_nothing_is_remembered(registry, opened):
    opened().writer_schema(1)
    registry.away = True
    with pytest.raises(SchemaUnavailable):
        opened("http://another").writer_schema(1)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"where": "http://r", "schemas": {"1": 5}, "ids": {}}', b"\xff"]
)
def test_a_memory_that_cannot_be_read_is_none(registry, opened, tmp_path, content):
    opened().writer_schema(1)
    (tmp_path / "data" / "schemas.json").write_bytes(content)
    registry.away = True
    with pytest.raises(SchemaUnavailable):
        opened().writer_schema(1)
    registry.away = False
    assert opened().writer_schema(1) == SCHEMA
    assert json.loads((tmp_path / "data" / "schemas.json").read_text())["schemas"] == {"1": SCHEMA}


def test_a_place_that_cannot_be_written_is_no_reason_to_fail(registry, tmp_path):
    (tmp_path / "file").write_text("")
    made = RememberedSchemas(registry, "http://r", tmp_path / "file" / "schemas.json")
    assert made.writer_schema(1) == SCHEMA
    made.close()
    assert registry.closed


def test_the_oldest_are_forgotten(registry, opened, tmp_path, monkeypatch):
    monkeypatch.setattr("monitor.wire.remembered_schemas.MOST", 3)
    registry.schemas |= dict.fromkeys(range(2, 6), SCHEMA)
    made = opened()
    for number in range(1, 6):
        made.writer_schema(number)
    assert list(json.loads((tmp_path / "data" / "schemas.json").read_text())["schemas"]) == ["3", "4", "5"]
