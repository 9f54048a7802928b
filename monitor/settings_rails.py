"""The settings of payment rails: when one is walled off, and what its payments get meanwhile."""

from typing import Literal

from pydantic import BaseModel, Field


class RailSettings(BaseModel):
    """Part of `monitor.settings_model.Settings`."""

    rail_outcome: Literal["approve", "review", "block"] = Field(
        "review", description="What payments of a walled-off rail get; their alerts are withheld."
    )
    rail_window_s: float = Field(60.0, ge=1, le=3600, description="How far back it is looked how a rail does.")
    rail_reject_share: float = Field(
        0.5, gt=0, le=1, description="A rail with this share of rejected records is walled off; opens again below half."
    )
    rail_least_records: int = Field(
        100, ge=1, description="Records in the window below which nothing is concluded about a rail."
    )
    rail_lag_s: float = Field(
        3600.0,
        ge=1,
        description="A rail half of whose payments come this long after their event_time, while another is on time, is walled off; opens again below half.",
    )
    rail_retry_s: float = Field(
        60.0, ge=0, description="How long a walled-off rail must be below half the limits before it opens again."
    )
    rail_silence_s: float = Field(
        300.0, gt=0, description="A rail that had been flowing and is silent for so long is shown as dark."
    )
    reject_stop_records: int = Field(
        10_000,
        ge=0,
        description="So many rejects in a row, and nothing admitted on any rail, end the worker with exit code 65; 0: never.",
    )
