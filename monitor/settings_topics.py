"""The settings of topics: what each is called, and how `monitor topics create` makes those that are missing."""

from pydantic import BaseModel, Field


class TopicSettings(BaseModel):
    """Part of `monitor.settings_model.Settings`."""

    topic_transactions: str = Field("transactions", description="Transactions in, Avro, key account_id.")
    topic_alerts: str = Field("alerts", description="Alerts out, Avro, key account_id.")
    topic_withheld: str = Field(
        "alerts.withheld",
        description="Alerts that are recorded and not sent: suppressed, of a walled-off rail, or within a cool-down.",
    )
    topic_dlq: str = Field(
        "transactions.dlq", description="Rejected records, as they came, with the reason in headers."
    )
    topic_audit: str = Field("audit", description="One block a run; the commit log. Same partitions as transactions.")
    topic_labels: str = Field("labels", description="What was found out about transactions later.")
    topic_shadow: str = Field(
        "shadow", description="What a candidate model thought of each run; only written while there is one."
    )
    topic_vectors: str = Field(
        "vectors", description="Feature vectors as served, of a sample of accounts; see vectors_sample."
    )
    topic_rule_hits: str = Field(
        "rule-hits", description="What rules in shadow would have done; only written while there are any."
    )
    topic_controls: str = Field(
        "controls", description="What people decide by hand; one partition, kept whole. Workers follow it."
    )
    topic_partitions: int = Field(
        8, ge=1, le=10_000, description="Partitions `monitor topics create` gives to new topics."
    )
    topic_replication: int = Field(
        1, ge=1, le=9, description="Replication `monitor topics create` gives to new topics; 3 in production."
    )


TOPICS = tuple(name for name, field in TopicSettings.model_fields.items() if field.annotation is str)
"""Settings that name a topic."""
