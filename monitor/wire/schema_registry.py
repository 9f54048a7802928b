"""Schemas of a Schema Registry that speaks the Confluent API (Confluent, Apicurio under /apis/ccompat/v7, Karapace, Redpanda).

Each call stands behind one circuit breaker: after some failures in a row the registry is left alone for a while, then one
call is let through to see (half open). An answer, also "no such schema", is no failure.
"""

import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
from purgatory import SyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState

from monitor.errors import SchemaIncompatible, SchemaUnavailable, SchemaUnknown

OnBreaker = Callable[[bool], None]
"""Hears whether the breaker is open, when that changes."""

TIMEOUT_S = 5.0
"""For each of connecting, sending and the wait for an answer."""

BREAKER_FAILURES = 5
"""Calls in a row without an answer that open the breaker."""

BREAKER_OPEN_S = 30.0
"""How long the registry is left alone."""

ATTEMPTS = 2
"""A kept connection may have been closed by the registry meanwhile: that is seen on use, and tried once more."""

_BREAKER = "schema_registry"
_NOT_THERE = frozenset({40401, 40402, 40403})  # Confluent's error codes: subject, version, schema not found
_TYPE = "application/vnd.schemaregistry.v1+json"


class RegistrySchemas:
    """Schemas of the registry at `url`. `register`: whether `id_of` may add a schema. Safe to share between threads."""

    def __init__(
        self,
        url: str,
        *,
        user: str | None = None,
        password: str | None = None,
        register: bool = False,
        timeout_s: float = TIMEOUT_S,
        breaker_open_s: float = BREAKER_OPEN_S,
        on_breaker: OnBreaker | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._register = register
        auth = httpx.BasicAuth(user, password or "") if user else None
        self._client = httpx.Client(auth=auth, timeout=timeout_s, headers={"Accept": _TYPE, "Content-Type": _TYPE})
        self._breakers = SyncCircuitBreakerFactory(
            default_threshold=BREAKER_FAILURES, default_ttl=breaker_open_s, exclude=[SchemaUnknown, SchemaIncompatible]
        )
        if on_breaker is not None:
            self._breakers.add_listener(_Listener(on_breaker))
        self._one_at_a_time = threading.Lock()  # purgatory's breakers are not made for threads

    def writer_schema(self, schema_id: int) -> str:
        """The schema's Avro JSON. Raises as `SchemaSource` says; schemas that refer to others are `SchemaIncompatible`."""
        found = self._call("GET", f"/schemas/ids/{schema_id}", None)
        kind = found.get("schemaType") or "AVRO"
        if kind != "AVRO":
            raise SchemaIncompatible(f"schema id {schema_id}: a schema of type {kind}; transactions are Avro")
        if found.get("references"):
            names = ", ".join(str(each.get("name")) for each in found["references"])
            raise SchemaIncompatible(f"schema id {schema_id}: refers to {names}; register it with those types in place")
        text = found.get("schema")
        if not isinstance(text, str):
            raise SchemaUnavailable(f"schema id {schema_id}: {self._url} answered without a schema; {_CHECK_URL}")
        return text

    def id_of(self, subject: str, schema: str) -> int:
        """The schema's id under `subject`, registered where it is missing and `register` is set. Raises as `SchemaSource` says."""
        path, body = f"/subjects/{quote(subject, safe='')}", {"schema": _compact(schema)}
        try:
            found = self._call("POST", path, body)
        except SchemaUnknown:
            if not self._register:
                raise SchemaUnknown(
                    f"subject {subject}: the schema is not registered; register it, or set schema_auto_register"
                ) from None
            found = self._call("POST", f"{path}/versions", body)
        schema_id = found.get("id")
        if not isinstance(schema_id, int):
            raise SchemaUnavailable(f"subject {subject}: {self._url} answered without an id; {_CHECK_URL}")
        return schema_id

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        with self._one_at_a_time:
            try:
                with self._breakers.get_breaker(_BREAKER):
                    return self._answer(self._send(method, self._url + path, body))
            except OpenedState:
                raise SchemaUnavailable(
                    f"schema_registry_url {self._url}: left alone for a while after {BREAKER_FAILURES} failures in a row"
                ) from None

    def _send(self, method: str, url: str, body: dict[str, Any] | None) -> httpx.Response:
        for attempt in range(ATTEMPTS):
            try:
                return self._client.request(method, url, json=body)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if attempt + 1 == ATTEMPTS or not isinstance(error, (httpx.NetworkError, httpx.RemoteProtocolError)):
                    raise SchemaUnavailable(
                        f"schema_registry_url {self._url}: no answer ({type(error).__name__}: {error}); is it running?"
                    ) from None
        raise AssertionError("unreachable")

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        """The JSON object of an answer, or the error that it means."""
        try:
            found = response.json()
        except ValueError:
            found = None
        found = found if isinstance(found, dict) else {}
        status, said = response.status_code, found.get("message", response.reason_phrase)
        if status == httpx.codes.OK and found:
            return found
        if status == httpx.codes.NOT_FOUND and found.get("error_code") in _NOT_THERE:
            raise SchemaUnknown(f"{response.request.url.path}: {said}; register the schema")
        if status in (httpx.codes.CONFLICT, httpx.codes.UNPROCESSABLE_ENTITY):
            raise SchemaIncompatible(
                f"{response.request.url.path}: the registry refuses the schema ({said}); fix it there"
            )
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            fix = "check schema_registry_user and schema_registry_password"
        else:
            fix = _CHECK_URL
        raise SchemaUnavailable(f"schema_registry_url {self._url}: answered {status} ({said}); {fix}")


_CHECK_URL = "is this the Confluent API's base URL? Apicurio's ends in /apis/ccompat/v7"


def _compact(schema: str) -> str:
    """The schema without its layout: Apicurio takes one that is only indented otherwise for another."""
    return json.dumps(json.loads(schema), separators=(",", ":"), ensure_ascii=False)


class _Listener:
    """Turns purgatory's events into `on_breaker`."""

    def __init__(self, on_breaker: OnBreaker) -> None:
        self._on_breaker = on_breaker

    def __call__(self, _name: str, event: str, body: Any) -> None:
        if event == "state_changed":
            self._on_breaker(body.state == "opened")
