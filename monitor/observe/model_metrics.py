"""The metrics of what is served: which model, from when its risk is, what was refused, how far the world has moved from it."""

from collections.abc import Mapping

from monitor.observe.declaration import Declaration


class ModelMetrics:
    """Part of the catalogue (`monitor/observe/metrics.py`)."""

    def __init__(self, declare: Declaration) -> None:
        self._model = declare.info(
            "monitor_model_info", "The model being served; no labels while there is none.", "feature_set", "version"
        )
        self._risk_effective = declare.gauge(
            "monitor_risk_effective_timestamp_seconds",
            "From when on, in event time, the newest snapshot of risk is in force; 0 while there is none.",
        )
        self._refused = declare.gauge(
            "monitor_artifacts_refused",
            "Models, rules and books of risk that lie where they are looked for and were not taken; /ready says why.",
        )
        self._drift = declare.gauge(
            "monitor_drift_psi",
            "Population stability index of a feature, or of the score, against the training; NaN while too little is known.",
            "channel",
            "feature",
        )
        results = ("recorded", "dropped", "failed")
        self._watched = {
            "candidate": declare.counter(
                "monitor_shadow_records_total",
                "Records offered to the candidate: recorded, dropped because it was behind, or failed.",
                "result",
                results,
            ),
            "vectors": declare.counter(
                "monitor_vectors_records_total",
                "Records whose served features were looked at for the sample: recorded, dropped, or failed.",
                "result",
                results,
            ),
            "shadow_rules": declare.counter(
                "monitor_rule_hits_records_total",
                "Records looked at for hits of rules in shadow: recorded, dropped, or failed.",
                "result",
                results,
            ),
        }
        self._watching = declare.counter(
            "monitor_sideline_cpu_seconds_total", "CPU time of those who look on.", "watcher", [*self._watched]
        )

    def watched(self, name: str, result: str, records: int, seconds: float) -> None:
        """Count a run that somebody on the sideline looked at; from whatever thread."""
        self._watched[name].labels(result).inc(records)
        self._watching.labels(name).inc(seconds)

    def set_version(self, version: str, feature_set: str) -> None:
        """Name the model being served; the one before leaves."""
        self._model.info({"version": version, "feature_set": feature_set})

    def set_artifacts(self, risk_effective_ms: int, refused: int) -> None:
        """From when on the newest snapshot of risk is in force, 0 for none, and how many artifacts were not taken."""
        self._risk_effective.set(risk_effective_ms / 1000)
        self._refused.set(refused)

    def set_drift(self, indexes: Mapping[tuple[str, str], float]) -> None:
        """By (feature, channel): how far what is scored has moved from the training of the model; those of the model before leave."""
        self._drift.clear()
        for (feature, channel), index in indexes.items():
            self._drift.labels(channel, feature).set(index)
