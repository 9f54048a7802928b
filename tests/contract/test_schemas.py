"""Schemas may grow, in ways that readers and writers of the first release survive."""

import io
import json

import fastavro
import pytest
from fastavro.utils import generate_many

from monitor.wire.decode import decode
from monitor.wire.framing import frame
from monitor.wire.hashing import HashKey
from monitor.wire.reader import compile_reader
from monitor.wire.records import Spans

EXAMPLES = 50


def reread(written_with, read_with):
    """Write examples with one schema and read them with another; pairs of what went in and what came out."""
    writer, reader = fastavro.parse_schema(written_with), fastavro.parse_schema(read_with)
    for record in generate_many(writer, EXAMPLES):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, writer, record)
        out.seek(0)
        own = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), writer, writer)
        yield own, fastavro.schemaless_reader(out, writer, reader)


def found_in(fewer, more):
    """Whether all that one record says stands in the other too, at any depth."""
    if isinstance(fewer, dict) and isinstance(more, dict):
        return all(name in more and found_in(value, more[name]) for name, value in fewer.items())
    if isinstance(fewer, list) and isinstance(more, list):
        return len(fewer) == len(more) and all(map(found_in, fewer, more))
    return fewer == more


def test_what_the_first_release_wrote_is_read_today(published, shipped_schema):
    for written, read in reread(published, shipped_schema):
        assert found_in(written, read)


def test_what_is_written_today_is_read_by_the_first_release(published, shipped_schema):
    for written, read in reread(shipped_schema, published):
        assert found_in(read, written)


@pytest.mark.parametrize("schema_name", ["transaction"], indirect=True)
def test_every_field_a_producer_fills_says_what_it_holds(shipped_schema):
    assert [field["name"] for field in shipped_schema["fields"] if not field.get("doc")] == []


@pytest.mark.parametrize("schema_name", ["transaction"], indirect=True)
def test_an_optional_field_of_a_producer_has_null_first_and_as_its_default(shipped_schema):
    """Else a producer that knows nothing of the field could not be read."""
    for field in shipped_schema["fields"]:
        if isinstance(field["type"], list) and "null" in field["type"]:
            assert (field["type"][0], field.get("default", "none")) == ("null", None), field["name"]


@pytest.mark.parametrize("schema_name", ["transaction"], indirect=True)
def test_the_decoder_reads_the_first_release_as_it_reads_today(published, shipped_schema):
    parsed = fastavro.parse_schema(published)
    values = []
    for record in generate_many(parsed, EXAMPLES):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, record)
        values.append(out.getvalue())
    readers = {1: compile_reader(json.dumps(published)), 2: compile_reader(json.dumps(shipped_schema))}
    key = HashKey.parse("00" * 16)
    first = decode(Spans.of([frame(1, value) for value in values]), readers, key, 1 << 20)
    assert not first.reason.any()
    if published["fields"] == shipped_schema["fields"]:
        today = decode(Spans.of([frame(2, value) for value in values]), readers, key, 1 << 20)
        assert (first.longs == today.longs).all()
        assert (first.hashes == today.hashes).all()
