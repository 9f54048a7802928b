"""One partition's evidence held together: decisions against input, alerts and dead letters against decisions. Pure."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.effects.alert_ids import alert_id
from monitor.errors import LayoutError
from monitor.guard.reasons import Reason
from monitor.reconcile.audited import Audited
from monitor.reconcile.effects import Alert, Telling, Written
from monitor.reconcile.findings import Findings
from monitor.state.dispositions import Disposition, Flag
from monitor.state.layout import ACCOUNT
from monitor.state.migrations import record_bytes


def compare_decisions(audited: Audited, offsets: NDArray[np.int64], found: Findings) -> None:
    """`offsets` int64[n] are all committed transactions from `audited.start` on, ascending; later ones are undecided."""
    where, decided = f"partition {audited.partition}", audited.decisions["offset"]
    due = offsets[offsets <= audited.last_offset]
    unique, counts = np.unique(decided, return_counts=True)
    lost, phantom = np.setdiff1d(due, unique), np.setdiff1d(unique, due)
    twice = unique[counts > 1]
    found.report("lost", lost.size, f"{where}: offset {_first(lost)} has no decision")
    found.report("twice", int((counts - 1).sum()), f"{where}: offset {_first(twice)} has more than one decision")
    found.report("phantom", phantom.size, f"{where}: offset {_first(phantom)} was decided and is no transaction")
    back = int((np.diff(decided) < 0).sum())
    found.report("out_of_order", back, f"{where}: decisions go back {back} times")
    found.counts["transactions"] += int(due.size)
    found.counts["undecided"] += int(offsets.size - due.size)
    found.counts["duplicates"] += int((audited.decisions["disposition"] == Disposition.DUPLICATE).sum())
    found.counts["conflicts"] += int((audited.decisions["flags"] & Flag.CONFLICT != 0).sum())
    found.counts["blocks"] += audited.blocks
    found.audit_verified &= audited.finding is None
    if audited.finding is not None:
        found.words.append(f"audit: {audited.finding}")


def compare_alerts(audited: Audited, written: Written, found: Findings) -> None:
    """One alert for each decision that one is due for, sent or withheld, and it says what the decision says."""
    _compare_alerts(audited, "alert", audited.alerting, written.alerts, found)
    _compare_alerts(audited, "withheld alert", audited.withheld, written.withheld, found)
    for each in written.disordered:
        found.report("out_of_order", 1, f"partition {audited.partition}: {each}")


def compare_tellings(audited: Audited, written: Written, tellings: Mapping[int, Telling], found: Findings) -> None:
    """What alerts tell beside their decisions, against the reference's: `tellings` by offset, of those that are known."""
    for alerts in (written.alerts, written.withheld):
        for offset in alerts.keys() & tellings.keys():
            wrong = [each.telling for each in alerts[offset] if each.telling != tellings[offset]]
            words = f"the alert of offset {offset} tells {wrong[:1]}, the reference {tellings[offset]}"
            found.report("alerts_foreign", len(wrong), f"partition {audited.partition}: {words}")


def _compare_alerts(
    audited: Audited, what: str, decisions: NDArray[np.void], written: Mapping[int, Sequence[Alert]], found: Findings
) -> None:
    where, due = f"partition {audited.partition}", {int(each["offset"]): each for each in decisions}
    for offset in due.keys() - written.keys():
        found.report("alerts_lost", 1, f"{where}: offset {offset} has no {what}")
    for offset, alerts in written.items():
        if offset > audited.last_offset:
            continue  # written since the audit log was read
        found.counts[f"{what}s".replace(" ", "_")] += 1
        found.report("alerts_twice", len(alerts) - 1, f"{where}: offset {offset} has {len(alerts)} {what}s")
        decision = due.get(offset)
        for alert in alerts:
            if decision is None:
                found.report("alerts_foreign", 1, f"{where}: offset {offset} has a {what} and no decision for it")
            elif (
                alert.outcome != decision["outcome"]
                or alert.score != decision["score"].tobytes()
                or alert.id != alert_id(audited.topic_id, audited.partition, offset)
            ):
                found.report("alerts_foreign", 1, f"{where}: the {what} of offset {offset} is not what was decided")


def compare_letters(audited: Audited, written: Written, digests: Mapping[int, bytes], found: Findings) -> None:
    """One dead letter for each rejected record, with its reason and bytes; `digests` are SHA-256 of the input's values by offset."""
    where = f"partition {audited.partition}"
    due = {int(each["offset"]): Reason(int(each["reason"])).code for each in audited.rejected}
    for offset in due.keys() - written.letters.keys():
        found.report("dead_letters_lost", 1, f"{where}: offset {offset} has no dead letter")
    for offset, letters in written.letters.items():
        if offset > audited.last_offset:
            continue
        found.counts["dead_letters"] += 1
        found.report(
            "dead_letters_twice", len(letters) - 1, f"{where}: offset {offset} has {len(letters)} dead letters"
        )
        for letter in letters:
            if offset not in due:
                found.report(
                    "dead_letters_foreign", 1, f"{where}: offset {offset} has a dead letter and was not rejected"
                )
            elif letter.reason != due[offset]:
                found.report(
                    "dead_letters_foreign",
                    1,
                    f"{where}: offset {offset} was rejected as {due[offset]}, its letter says {letter.reason}",
                )
            elif offset in digests and letter.digest != digests[offset]:
                found.report("dead_letters_foreign", 1, f"{where}: the letter of offset {offset} has other bytes")


def compare_state(
    partition: int,
    state: Mapping[bytes, bytes],
    reference: Mapping[bytes, bytes],
    found: Findings,
    *,
    alerts_too: bool = True,
) -> None:
    """Changelog values by account, both without forgotten accounts; `reference` can be read. Not `alerts_too`: what they remember of alerts may differ."""
    found.counts["accounts"] += len(state)
    for account in sorted(reference.keys() | state.keys()):
        if account not in state:
            found.report("state_differs", 1, f"partition {partition}: account {account!r} is not in the changelog")
        elif account not in reference:
            found.report("state_differs", 1, f"partition {partition}: account {account!r} is in the changelog alone")
        elif state[account] != reference[account]:
            difference = _difference(account, state[account], reference[account], () if alerts_too else OF_ALERTS)
            if difference:
                found.report("state_differs", 1, f"partition {partition}: account {account!r} {difference}")


OF_ALERTS = ("alerted_at", "late_alerted_at", "withheld")
"""Fields of an account that depend on outcomes."""


def _difference(account: bytes, has: bytes, ought: bytes, ignored: Collection[str]) -> str:
    """How two changelog values of an account differ; "" for one record in two layouts."""
    expected = np.frombuffer(record_bytes(account, ought), ACCOUNT)[0]
    try:
        record = np.frombuffer(record_bytes(account, has), ACCOUNT)[0]
    except LayoutError as error:
        return f"cannot be read: {error}"
    names = [name for name in ACCOUNT.names or () if name not in ignored]
    fields = [name for name in names if record[name].tobytes() != expected[name].tobytes()]
    return f"differs in {', '.join(fields[:4])}" if fields else ""


def _first(offsets: NDArray[np.int64]) -> str:
    return str(int(offsets[0])) if offsets.size else "none"
