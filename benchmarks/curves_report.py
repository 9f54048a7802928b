"""`python -m benchmarks.curves_report [FILE]`: the table and the chart of benchmarks/results/curves.json, beside it.

The table also goes between the markers in docs/performance.md when it is asked to: `--page`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.markers import between

RESULTS = Path(__file__).parent / "results" / "curves.json"
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
COLUMNS = ("CPU s a million", "transactions/s", "changelog messages", "changelog B", "memory B an account")
PANEL, HEIGHT, MARGIN, TOP = 420, 190, 56, 34


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves_report", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=RESULTS)
    parser.add_argument("--page", action="store_true", help=f"also between the markers in {PAGE.name}")
    options = parser.parse_args()
    text = write(options.file)
    if options.page:
        PAGE.write_text(between(PAGE.read_text(), "curves", text))
    print(text)


def write(file: Path) -> str:
    """The tables, written as FILE.md, and the curves as FILE.svg."""
    results = json.loads(file.read_text())
    text = table(results)
    file.with_suffix(".md").write_text(text)
    file.with_suffix(".svg").write_text(chart(results["curves"]))
    return text


def table(results: dict[str, Any]) -> str:
    """One Markdown table a curve; messages and bytes are a transaction's."""
    lines = [
        f"One core of {results['machine']['processor']}, the broker on another; medians of {results['repeats']}, least and greatest in brackets; "
        f"commit {results['commit']}."
    ]
    for name, points in results["curves"].items():
        lines += ["", f"| {name} | {' | '.join(COLUMNS)} |", f"|{' --- |' * (len(COLUMNS) + 1)}"]
        lines += [f"| {' | '.join(row(point))} |" for point in points]
    return "\n".join(lines) + "\n"


def row(point: dict[str, Any]) -> list[str]:
    least, greatest = point["spread"]["cpu_s_a_million"]
    return [
        point["at"],
        f"{point['cpu_s_a_million']:.2f} ({least:.2f} - {greatest:.2f})",
        f"{point['events_per_s']:,.0f}",
        f"{point['changelog_messages']:.2f}",
        f"{point['changelog_bytes']:,.0f}",
        f"{point['rss_bytes_an_account']:,.0f}",
    ]


def chart(curves: dict[str, list[dict[str, Any]]]) -> str:
    """A panel a curve, CPU seconds a million transactions from 0, all on one scale."""
    most = max(point["spread"]["cpu_s_a_million"][1] for points in curves.values() for point in points)
    columns = 2
    rows = -(-len(curves) // columns)
    width, height = columns * PANEL, rows * (HEIGHT + TOP + MARGIN)
    parts = [
        f'<g transform="translate({at % columns * PANEL},{at // columns * (HEIGHT + TOP + MARGIN)})">{panel(name, points, most)}</g>'
        for at, (name, points) in enumerate(curves.items())
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    style = 'font-family="sans-serif" font-size="12" fill="#24292f"'
    return f'{head} {style}><rect width="{width}" height="{height}" fill="#ffffff"/>{"".join(parts)}</svg>\n'


def panel(name: str, points: list[dict[str, Any]], most: float) -> str:
    """Points at equal distances, a bar from the least to the greatest of the repeats at each."""
    step = (PANEL - 2 * MARGIN) / max(len(points) - 1, 1)
    bottom = TOP + HEIGHT

    def place(value: float) -> float:
        return bottom - HEIGHT * value / most

    dots = [(MARGIN + at * step, point) for at, point in enumerate(points)]
    line = " ".join(f"{x:.0f},{place(point['cpu_s_a_million']):.1f}" for x, point in dots)
    parts = [
        f'<text x="{MARGIN}" y="20" font-weight="bold">{name}: CPU s a million</text>',
        f'<line x1="{MARGIN}" y1="{bottom}" x2="{PANEL - MARGIN}" y2="{bottom}" stroke="#8a94a6"/>',
        f'<polyline points="{line}" fill="none" stroke="#1a7f5a" stroke-width="2"/>',
    ]
    for x, point in dots:
        least, greatest = (place(each) for each in point["spread"]["cpu_s_a_million"])
        y = place(point["cpu_s_a_million"])
        parts += [
            f'<line x1="{x:.0f}" y1="{least:.1f}" x2="{x:.0f}" y2="{greatest:.1f}" stroke="#1a7f5a"/>',
            f'<circle cx="{x:.0f}" cy="{y:.1f}" r="3" fill="#1a7f5a"/>',
            f'<text x="{x:.0f}" y="{greatest - 8:.1f}" text-anchor="middle">{point["cpu_s_a_million"]:.1f}</text>',
            f'<text x="{x:.0f}" y="{bottom + 16}" text-anchor="middle">{point["at"]}</text>',
        ]
    return "".join(parts)


if __name__ == "__main__":
    main()
