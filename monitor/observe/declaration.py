"""How a line of the metric catalogue becomes a metric, and is remembered for the documentation."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Info

from monitor.observe.bulk_histogram import BulkHistogram


@dataclass(frozen=True, slots=True)
class Definition:
    """One line of the catalogue, as docs/metrics.md prints it; `name` is as exposed, with `_total` or `_info`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


class Declaration:
    """Makes metrics in `registry`; `definitions` holds what was declared, in order."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.definitions: list[Definition] = []

    def counter(self, name: str, meaning: str, label: str | None = None, values: Sequence[str] = ()) -> Counter:
        """A counter; with a label, every value of it starts at 0, so that a rate sees the first increment."""
        labels = self._define(name, "counter", meaning, label)
        counter = Counter(name, meaning, labels, registry=self._registry)
        for value in values:
            counter.labels(value)
        return counter

    def counters(self, name: str, meaning: str, *labels: str) -> Counter:
        """A counter for each combination of the labels' values; who knows those starts them at 0."""
        return Counter(name, meaning, self._define(name, "counter", meaning, *labels), registry=self._registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        """A gauge, or one for each value of the labels."""
        return Gauge(name, meaning, self._define(name, "gauge", meaning, *labels), registry=self._registry)

    def histogram(
        self,
        name: str,
        meaning: str,
        bounds: Sequence[float],
        *,
        label: str | None = None,
        values: Sequence[str] = ("",),
    ) -> BulkHistogram:
        """A histogram; with a label, one for each of its values."""
        self._define(name, "histogram", meaning, label)
        return BulkHistogram(name, meaning, bounds, self._registry, label=label, label_values=values)

    def info(self, name: str, meaning: str, *labels: str) -> Info:
        """A constant 1 whose labels are the information."""
        self._define(name, "info", meaning, *labels)
        return Info(name.removesuffix("_info"), meaning, registry=self._registry)

    def _define(self, name: str, kind: str, meaning: str, *labels: str | None) -> tuple[str, ...]:
        named = tuple(label for label in labels if label is not None)
        self.definitions.append(Definition(name, kind, named, meaning))
        return named
