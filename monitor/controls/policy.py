"""Whose signatures a control needs at an installation, and what stands for that in the digest of controls."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from monitor.controls.record import Control
from monitor.registry.approvals import CONTROLS, Policy
from monitor.settings import Settings

_POLICY = b"monitor controls policy 1\n"


@dataclass(frozen=True, slots=True)
class ControlsPolicy:
    """`installation` (the setting app_id) is part of what is signed: a control that is signed for one is none at another.

    Without signers in `approvals` nobody is asked, and the installation is of no account.
    """

    installation: str
    approvals: Policy

    @property
    def asks(self) -> bool:
        """Whether records need signatures."""
        return bool(self.approvals.signers)

    def signed_by(self, control: Control, signatures: Iterable[tuple[str, bytes]]) -> set[str]:
        """Key ids of those who have signed the control and whose signatures count."""
        return self.approvals.signed_by(control.signed_bytes(self.installation), signatures)

    def beginning(self) -> bytes:
        """What the chain of digests begins with, 32 bytes: zeros, or what stands for the policy, as the same records are other controls under another."""
        if not self.asks:
            return bytes(32)
        said = {
            "installation": self.installation,
            "needed": self.approvals.needed,
            "signers": sorted(self.approvals.signers),
        }
        return sha256(_POLICY + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).digest()


def controls_policy_of(settings: Settings) -> ControlsPolicy:
    """Who must have signed a control here. Raises `SettingsError`."""
    signers = [Path(each.strip()) for each in settings.controls_signers.split(",") if each.strip()]
    return ControlsPolicy(settings.app_id, Policy.of(signers, settings.controls_approvals, CONTROLS))
