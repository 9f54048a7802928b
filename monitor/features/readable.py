"""Values of features as people write them."""

import math

UNKNOWN = "unknown"


def readable(unit: str, value: float) -> str:
    """`value` as a person writes it: money in major units, shares in per cent, counts whole unless they are means; what is no number is unknown."""
    if not math.isfinite(value):
        return UNKNOWN
    if unit == "base minor":
        return f"{value / 100:,.2f}"
    if unit == "share":
        return f"{100 * value:.0f} %"
    if value == round(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"
