"""What the checker, a program of its own, says about an installation that has come to rest: nothing but good is accepted."""

import json
import subprocess
import sys
from typing import Any

from tests.installation import Installation

CHECK_TIMEOUT_S = 1_800

MUST_BE_NONE = (
    "lost", "twice", "phantom", "out_of_order", "state_differs", "decisions_differ", "alerts_lost", "alerts_twice",
    "alerts_foreign", "dead_letters_lost", "dead_letters_twice", "dead_letters_foreign", "group_ahead", "undecided",
)  # fmt: skip
MUST_BE_TRUE = ("audit_verified", "group_at_end", "reference")


def reconcile(installation: Installation) -> dict[str, Any]:
    """Run `monitor reconcile` on the installation; its answer."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "reconcile", "--json"],
        env=installation.environment, cwd=installation.directory, capture_output=True, text=True,
        timeout=CHECK_TIMEOUT_S, check=False,
    )  # fmt: skip
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        return {"failure": f"exit {done.returncode}: {done.stdout[-500:]} {done.stderr[-2000:]}"}
    return {**found, "exit_code": done.returncode}


def violations(found: dict[str, Any], sent: int) -> list[str]:
    """What is not as it must be, in words. `sent`: how many transactions Kafka has confirmed, so how many there are at least."""
    if "failure" in found:
        return [f"the checker did not answer: {found['failure']}"]
    wrong = [f"{name} = {found.get(name, 'not said')}" for name in MUST_BE_NONE if found.get(name) != 0]
    wrong += [f"{name} = {found.get(name, 'not said')}" for name in MUST_BE_TRUE if found.get(name) is not True]
    if found.get("transactions", -1) < sent:
        wrong.append(f"transactions = {found.get('transactions', 'not said')}, but {sent} were sent")
    # A check that could not compare everything has shown nothing.
    wrong += [f"the checker notes: {note}" for note in found.get("notes", ())]
    wrong += found["findings"]
    if found["exit_code"] and not wrong:
        wrong.append(f"the checker left with {found['exit_code']}")
    return wrong
