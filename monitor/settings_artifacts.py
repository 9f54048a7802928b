"""The settings of what is loaded and may be replaced while a worker runs: models, rules, snapshots of risk, controls, and who must approve them."""

from pathlib import Path

from pydantic import BaseModel, Field

from monitor.resources import shipped


class ArtifactSettings(BaseModel):
    """Part of `monitor.settings_model.Settings`."""

    models_dir: Path = Field(
        default_factory=lambda: shipped("models"),
        description="Directory of model versions; `current` names the one served.",
    )
    model_signers: str = Field(
        "",
        examples=["ann.pub,ben.pub"],
        description="Public keys (.pub files, comma-separated) of those who may approve models; empty: any model is served.",
    )
    model_approvals: int = Field(
        1,
        ge=1,
        le=16,
        description="How many different ones of model_signers must have approved a model before it is served.",
    )
    risk_dir: Path = Field(
        Path("risk"),
        description="Directory of snapshots of risk, built by `monitor risk build`; only models with risk beside them look there.",
    )
    risk_signers: str = Field(
        "", examples=["risk.pub"], description="The same for snapshots of risk; empty: any is used."
    )
    risk_approvals: int = Field(1, ge=1, le=16, description="How many different ones of risk_signers must have signed.")
    rules_dir: Path = Field(
        Path("rules"),
        description="Directory of versions of rules, written by `monitor rules publish`; `current` names the one served. No `current`: no rules.",
    )
    rules_signers: str = Field(
        "", examples=["ann.pub,ben.pub"], description="The same for rules; empty: any version is served."
    )
    rules_approvals: int = Field(
        1, ge=1, le=16, description="How many different ones of rules_signers must have approved."
    )
    controls_signers: str = Field(
        "",
        examples=["ann.pub,ben.pub"],
        description="The same for controls, each record by itself; empty: what anybody writes to topic_controls is taken.",
    )
    controls_retired_signers: str = Field(
        "",
        examples=["cleo.pub@1041"],
        description="Keys that were in controls_signers, each with the offset of the last record in topic_controls that it counts for.",
    )
    controls_approvals: int = Field(
        1, ge=1, le=16, description="How many different ones of controls_signers must have signed a control."
    )
    controls_check_s: float = Field(1.0, gt=0, description="How often to look for further controls in topic_controls.")
    vectors_sample: int = Field(0, ge=0, description="Write served features of one account in so many; 0: of none.")
    artifacts_check_s: float = Field(
        10.0, gt=0, description="How often to look for another model, rules, or snapshot of risk."
    )
