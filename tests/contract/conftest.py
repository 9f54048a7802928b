"""Schemas as they were published, and as they are now."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.resources import shipped

PUBLISHED = Path(__file__).parent / "published"


@pytest.fixture(
    params=[
        "transaction",
        "alert",
        "label",
        "audit-block",
        "shadow-block",
        "vectors-block",
        "rule-hits-block",
        "control",
    ]
)
def schema_name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def published(schema_name: str) -> dict[str, Any]:
    """The schema as the first release had it. Never edited: what others wrote with it lies in their topics."""
    return json.loads((PUBLISHED / f"{schema_name}.v1.avsc").read_text())


@pytest.fixture
def shipped_schema(schema_name: str) -> dict[str, Any]:
    """The schema as it is now."""
    return json.loads((shipped("schemas") / f"{schema_name}.avsc").read_text())
