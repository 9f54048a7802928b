"""The names that effects carry and go to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Names:
    """The installation, and the topics that effects go to."""

    app_id: str
    alerts: str
    withheld: str
    dlq: str
    audit: str
    changelog: str
