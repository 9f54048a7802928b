"""Moments as people write them."""

import datetime as dt

from monitor.errors import SettingsError
from monitor.state.layout import DAY_MS


def moment_ms(text: str, name: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 date or time; without a zone it is UTC. Raises `SettingsError` naming `name`."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{name} {text!r}: no date or time; write 2026-11-22, or 2026-11-22T06:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * 1000)


def day_text(time_ms: int) -> str:
    """The day (UTC), with the time of day behind it unless it is midnight: `2026-11-22`, `2026-11-22T0600`: fit for a file's name."""
    moment = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
    return moment.strftime("%Y-%m-%d" if time_ms % DAY_MS == 0 else "%Y-%m-%dT%H%M")
