"""Transactions as an Avro producer writes them."""

import io
import json
from collections.abc import Callable
from typing import Any

import fastavro
import pytest

from monitor.wire.framing import frame
from monitor.wire.hashing import HashKey
from monitor.wire.reader import transaction_schema

TRANSACTION = {
    "transaction_id": "tx-1",
    "account_id": "acc-1",
    "event_time": 1_790_000_000_000,
    "amount_minor": 1299,
    "currency": "EUR",
    "direction": "credit",
    "channel": "wallet",
    "merchant_id": "m-1",
    "merchant_category": None,
    "country": "DE",
    "device_id": "Gerät",
    "ip": None,
    "idempotency_key": None,
    "attributes": {"note": "ж"},
}


@pytest.fixture(scope="session")
def hash_key() -> HashKey:
    return HashKey.parse("000102030405060708090a0b0c0d0e0f")


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    """A fresh copy of our transaction schema, to be evolved by a test."""
    return json.loads(transaction_schema())


@pytest.fixture
def evolved() -> Callable[..., dict[str, Any]]:
    """`evolved(amount_minor="int", ip=None, risk="float")`: our schema with types replaced, fields dropped (None) or added."""

    def evolve(**types: Any) -> dict[str, Any]:
        schema = json.loads(transaction_schema())
        fields = {field["name"]: {"name": field["name"], "type": field["type"]} for field in schema["fields"]}
        for name, type_ in types.items():
            fields.pop(name, None) if type_ is None else fields.__setitem__(name, {"name": name, "type": type_})
        return schema | {"fields": list(fields.values())}

    return evolve


@pytest.fixture
def write() -> Callable[..., bytes]:
    """`write(schema, schema_id=1, amount_minor=5)`: a framed transaction, by fastavro."""

    def encode(schema: dict[str, Any] | None = None, schema_id: int = 1, **changes: Any) -> bytes:
        schema = json.loads(transaction_schema()) if schema is None else schema
        names = {field["name"] for field in schema["fields"]}
        record = {name: value for name, value in (TRANSACTION | changes).items() if name in names}
        out = io.BytesIO()
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), record)
        return frame(schema_id, out.getvalue())

    return encode
