"""A file of controls that are not in force yet: JSON, read and signed by one person after the other, then submitted."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastavro.validation import ValidationError, validate

from monitor.controls.record import SCHEMA, Control, Signed, checked
from monitor.controls.wording import time_text
from monitor.errors import ControlsError
from monitor.keys import key_id
from monitor.wire.our_records import our_schema

MAX_BYTES = 16 << 20
TIMES = ("created_at", "from_ms", "until_ms")
"""Written as people write times."""


def write_proposal(path: Path, controls: Sequence[Signed]) -> None:
    """Write the file, whole. Raises `ControlsError`."""
    entries = [
        {
            **{name: _shown(name, value) for name, value in asdict(each.control).items() if value is not None},
            "signatures": [{"key_id": name, "signature": signature.hex()} for name, signature in each.signatures],
        }
        for each in controls
    ]
    waiting = path.with_name(f".{path.name}.new")
    try:
        waiting.write_text(json.dumps({"controls": entries}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        waiting.replace(path)
    except OSError as error:
        raise ControlsError(f"{path}: cannot be written ({error.strerror}); name another file") from None


def read_proposal(path: Path) -> list[Signed]:
    """The controls of the file, each checked. Raises `ControlsError`."""
    try:
        content = path.read_bytes()
        if len(content) > MAX_BYTES:
            raise ControlsError(f"{path}: {len(content)} bytes; at most {MAX_BYTES}: make two files of it")
        entries = json.loads(content)["controls"]
        return [_signed(entry) for entry in entries]
    except OSError as error:
        raise ControlsError(f"{path}: cannot be read ({error.strerror}); name a file of controls propose") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise ControlsError(f"{path}: not a file of monitor controls propose ({error}); propose it anew") from None


def signed_with(controls: Sequence[Signed], key: Ed25519PrivateKey, installation: str) -> list[Signed]:
    """The same, each with the key's signature for the installation (its app_id); one before of the same key is replaced."""
    name = key_id(key.public_key())
    return [
        replace(
            each,
            signatures=(
                *(other for other in each.signatures if other[0] != name),
                (name, key.sign(each.control.signed_bytes(installation))),
            ),
        )
        for each in controls
    ]


def _signed(entry: Mapping[str, Any]) -> Signed:
    """Of types as the schema has them. Raises what json, fastavro and `checked` do."""
    record = {name: _read(name, value) for name, value in entry.items()}
    whole = asdict(Control("", "", "", "", 0, 0)) | record
    validate(whole, our_schema(SCHEMA), strict=True)
    signatures = tuple((each["key_id"], each["signature"]) for each in whole.pop("signatures"))
    return Signed(checked(Control(**whole)), signatures)


def _shown(name: str, value: Any) -> Any:
    return time_text(value) if name in TIMES else value


def _read(name: str, value: Any) -> Any:
    if name in TIMES:
        moment = dt.datetime.fromisoformat(value) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        return moment // dt.timedelta(milliseconds=1)
    if name == "signatures":
        return [{**each, "signature": bytes.fromhex(each["signature"])} for each in value]
    return value
