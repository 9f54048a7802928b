import uuid
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.controls.book import ControlBook
from monitor.controls.desk import Desk
from monitor.controls.policy import ControlsPolicy
from monitor.controls.record import Control, Signed
from monitor.keys import key_id
from monitor.registry.approvals import CONTROLS, Policy

NOW = 1_790_000_000_000
HOUR = 3_600_000
HERE = "fraud-monitor"
NOBODY = ControlsPolicy(HERE, Policy({}, 1, CONTROLS))


def control(kind="suppression", /, **fields):
    """A control of its kind that is as it must be, with changes."""
    about = {
        "suppression": {"account_id": "a-1", "until_ms": NOW + HOUR},
        "override": {"account_id": "a-1", "outcome": "review", "until_ms": NOW + HOUR},
        "list_entry": {"list_name": "watched", "word": "m-1"},
        "rail": {"rail": "card", "state": "walled"},
    }[kind]
    made = Control(str(uuid.UUID(int=1)), kind, "Ann", "because", NOW, NOW, **about)
    return replace(made, **fields)


def record(made, signatures=()):
    """(key, value) as they lie in the topic."""
    return made.key.encode(), Signed(made, tuple(signatures)).value(1)


def book_of(*controls, policy=NOBODY):
    """A book of these records; every one must be allowed."""
    book = ControlBook(policy)
    for offset, made in enumerate(controls):
        assert book.add(offset, *record(made)) is None
    return book


def desk(book, now_ms=NOW):
    return Desk(book, now_ms, "Ben", "as agreed")


@pytest.fixture(scope="session")
def keys():
    """Ann's and Ben's."""
    return [Ed25519PrivateKey.generate() for _ in range(2)]


@pytest.fixture
def policy(keys):
    """Both must sign."""
    signers = {key_id(key.public_key()): key.public_key() for key in keys}
    return ControlsPolicy(HERE, Policy(signers, 2, CONTROLS))
