"""A control in words, as it is listed, and as a signer reads it."""

import datetime as dt

from monitor.controls.record import LIST_ENTRY, OVERRIDE, SUPPRESSION, Control


def said(control: Control) -> str:
    """What it does."""
    if control.kind == SUPPRESSION:
        about = {
            "account": control.account_id and _shown(control.account_id),
            "rule": control.rule_id,
            "reason": control.reason_code,
        }
        names = ", ".join(f"{name} {value}" for name, value in about.items() if value is not None)
        found = f"suppress {names}" + ("; blocks too" if control.blocks else "")
    elif control.kind == OVERRIDE:
        found = f"{control.outcome} account {_shown(control.account_id or '')}"
    elif control.kind == LIST_ENTRY:
        found = f"list {control.list_name}: {_shown(control.word or '')}"
    else:
        found = f"rail {control.rail}: {control.state}"
    return f"{found} (withdrawn)" if control.withdrawn else found


def time_text(time_ms: int) -> str:
    """UTC, to the millisecond, as ISO 8601 has it."""
    moment = dt.datetime.fromtimestamp(time_ms // 1000, dt.UTC).replace(microsecond=time_ms % 1000 * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span_text(control: Control) -> str:
    """From when until when, by payments' event time."""
    if control.until_ms is None:
        return "until withdrawn"
    return f"{time_text(control.from_ms)[:19]}Z to {time_text(control.until_ms)[:19]}Z"


def _shown(text: str) -> str:
    """What a terminal would obey or hide is escaped: accounts are any text."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
