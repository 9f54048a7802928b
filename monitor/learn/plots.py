"""Plots as SVG text, to stand inside a page: no file beside it, no script, no network."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

SIZE_INCHES = (6.4, 4.2)
COLOURS = ("#8c8c8c", "#b8860b", "#8b5a8c", "#2f6db3", "#2e8b57", "#c0392b")
"""One a method, in the order of their tables; told apart also by those who see colours otherwise, with the markers."""

MARKERS = ("o", "s", "^", "D", "v", "P")

_SETTINGS: Any = {"svg.hashsalt": "fraud-monitor", "svg.fonttype": "none", "font.size": 9}
"""Equal data give equal bytes."""


def precision_recall(curves: Mapping[str, NDArray[np.float64]]) -> str:
    """Precision over recall, a line a method: each float64[p, 2], recall and precision."""
    figure, axes = _axes(
        "recall: of the fraud, the share found", "precision: of what is found, the share that is fraud"
    )
    for number, (name, points) in enumerate(curves.items()):
        axes.plot(points[:, 0], points[:, 1], label=name, color=COLOURS[number % len(COLOURS)], lw=1.6)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(frameon=False)
    return _svg(figure)


def intervals(values: Mapping[str, tuple[float, float]], title: str) -> str:
    """A point a method with its 95 % interval: (mean, half width)."""
    figure, axes = _axes(title, "")
    for number, (mean, half) in enumerate(values.values()):
        axes.errorbar(
            mean,
            -number,
            xerr=half,
            color=COLOURS[number % len(COLOURS)],
            marker=MARKERS[number % len(MARKERS)],
            capsize=3,
        )
    axes.set_yticks([-number for number in range(len(values))], list(values))
    axes.set_xlim(left=0)
    return _svg(figure)


def two_histograms(first: NDArray[np.float64], second: NDArray[np.float64], names: Sequence[str], title: str) -> str:
    """Two distributions over the same bins, each as shares of its own."""
    figure, axes = _axes(title, "share")
    whole = np.concatenate([first, second])
    bins = np.linspace(whole.min(), whole.max() or 1.0, 60) if whole.size else np.linspace(0, 1, 60)
    for values, name, colour in zip((first, second), names, (COLOURS[3], COLOURS[5]), strict=True):
        if values.size:
            axes.hist(
                values,
                bins.tolist(),
                weights=np.full(values.size, 1 / values.size),
                label=name,
                color=colour,
                alpha=0.55,
            )
    axes.set_yscale("log")
    axes.legend(frameon=False)
    return _svg(figure)


def _axes(across: str, up: str) -> tuple[Figure, Axes]:
    with rc_context(_SETTINGS):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    with rc_context(_SETTINGS):
        figure.savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
