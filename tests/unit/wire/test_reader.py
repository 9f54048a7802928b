"""A schema is input: whatever its text, it is read or refused."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import SchemaIncompatible
from monitor.wire.reader import Reader, compile_reader, transaction_schema

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["record", "type", "string", "null", "Transaction", "enum", "map"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "name", "fields", "items", "symbols", "values", "size"]), inner),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "{", "null", "{}", "[]", '"string"', '{"type": "record", "name": "Transaction"}', "[" * 100_000]
)
def test_text_that_is_no_schema_is_refused(text):
    with pytest.raises(SchemaIncompatible):
        compile_reader(text)


@given(JSON)
def test_any_json_is_read_or_refused_as_incompatible(schema):
    with contextlib.suppress(SchemaIncompatible):
        assert isinstance(compile_reader(json.dumps(schema)), Reader)


@given(st.data())
def test_our_schema_with_any_part_replaced_is_read_or_refused_as_incompatible(data):
    schema = json.loads(transaction_schema())
    field = data.draw(st.sampled_from(schema["fields"]))
    field[data.draw(st.sampled_from(sorted(field)))] = data.draw(JSON)
    with contextlib.suppress(SchemaIncompatible):
        assert isinstance(compile_reader(json.dumps(schema)), Reader)


def test_a_schema_nested_without_end_is_refused_and_not_a_crash(evolved):
    text = json.dumps(evolved(added="HERE")).replace('"HERE"', '{"type":"array","items":' * 3000 + '"int"' + "}" * 3000)
    with pytest.raises(SchemaIncompatible, match="RecursionError"):
        compile_reader(text)
