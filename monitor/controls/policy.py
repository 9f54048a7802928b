"""Whose signatures a control needs at an installation, and what stands for that in the digest of controls."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from monitor.controls.record import Control
from monitor.errors import SettingsError
from monitor.keys import load_public
from monitor.registry.approvals import CONTROLS, Policy
from monitor.settings import Settings

_POLICY = b"monitor controls policy 1\n"


@dataclass(frozen=True, slots=True)
class Retired:
    """The key of one who left: it counts for records up to `last_offset`, which it was there for, and for none behind."""

    key: Ed25519PublicKey
    last_offset: int


@dataclass(frozen=True, slots=True)
class ControlsPolicy:
    """`installation` (the setting app_id) is part of what is signed: a control that is signed for one is none at another.

    Without signers in `approvals` nobody is asked, and the installation is of no account.
    """

    installation: str
    approvals: Policy
    retired: Mapping[str, Retired] = field(default_factory=lambda: MappingProxyType({}))
    """By key id. Without them the records that they withdrew or replaced would come back."""

    @property
    def asks(self) -> bool:
        """Whether records need signatures."""
        return bool(self.approvals.signers)

    def signed_by(self, control: Control, signatures: Iterable[tuple[str, bytes]], offset: int) -> set[str]:
        """Key ids of those who have signed the control and whose signatures count for a record at `offset`."""
        then = {name: each.key for name, each in self.retired.items() if offset <= each.last_offset}
        approvals = replace(self.approvals, signers={**self.approvals.signers, **then}) if then else self.approvals
        return approvals.signed_by(control.signed_bytes(self.installation), signatures)

    def beginning(self) -> bytes:
        """What the chain of digests begins with, 32 bytes: zeros, or what stands for the policy, as the same records are other controls under another."""
        if not self.asks:
            return bytes(32)
        said = {
            "installation": self.installation,
            "needed": self.approvals.needed,
            "retired": {name: each.last_offset for name, each in self.retired.items()},
            "signers": sorted(self.approvals.signers),
        }
        return sha256(_POLICY + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).digest()


def controls_policy_of(settings: Settings) -> ControlsPolicy:
    """Who must have signed a control here. Raises `SettingsError`."""
    approvals = Policy.of(
        [Path(each) for each in _listed(settings.controls_signers)], settings.controls_approvals, CONTROLS
    )
    retired: dict[str, Retired] = {}
    for each in _listed(settings.controls_retired_signers):
        retired |= _retired(each)
    again = [each.key for name, each in retired.items() if name in approvals.signers]
    if again or (retired and not approvals.signers):
        raise SettingsError(
            f"controls_retired_signers {settings.controls_retired_signers}: "
            + (
                "a key that is in controls_signers too; name it in one of them"
                if again
                else "controls_signers is empty, so all are taken; name those who sign now"
            )
        )
    return ControlsPolicy(settings.app_id, approvals, MappingProxyType(retired))


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _retired(text: str) -> dict[str, Retired]:
    path, _, offset = text.rpartition("@")
    if not (path and offset.isascii() and offset.isdigit()):
        raise SettingsError(
            f"controls_retired_signers {text!r}: write KEY.pub@OFFSET, the offset of the last record that the key counts for"
        )
    return {name: Retired(key, int(offset)) for name, key in load_public([Path(path)]).items()}
