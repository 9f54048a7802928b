"""`python -m benchmarks.race.report [FILE]`: the table and the chart of benchmarks/results/latest.json, beside it.

The table also goes between the markers in README.md when it is asked to: `--readme`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.markers import between

ROOT = Path(__file__).parents[2]
LATEST = ROOT / "benchmarks" / "results" / "latest.json"

JOBS = {
    "skewed 0.005": "6,000 accounts, 0.5 % alerts",
    "skewed 0.05": "6,000 accounts, 5 % alerts",
    "uniform 0.005": "1M accounts at random, 0.5 % alerts",
    "uniform 0.05": "1M accounts at random, 5 % alerts",
}
OURS, LONELY = "ours", "lonely"
COLUMNS = ("", "events/s", "events/CPU s", "ours is", "memory MB", "to the broker B/event")

WIDTH, LABEL, BAR, GAP, TOP = 860, 250, 18, 6, 30
COLOURS = {OURS: "#1a7f5a"}
OTHER = "#8a94a6"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.race.report", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=LATEST)
    parser.add_argument("--readme", action="store_true", help="also between the markers in README.md")
    options = parser.parse_args()
    text = write(options.file)
    if options.readme:
        readme = ROOT / "README.md"
        readme.write_text(between(readme.read_text(), "race", text))
    print(text)


def write(file: Path) -> str:
    """The table, written as FILE.md, and the chart as FILE.svg."""
    results = json.loads(file.read_text())
    text = table(results)
    file.with_suffix(".md").write_text(text)
    file.with_suffix(".svg").write_text(chart(results))
    return text


def _repeats(runs: list[dict[str, Any]]) -> str:
    """How often each was measured, in words."""
    return " or ".join(map(str, sorted({each["repeats"] for each in runs}))) or "0"


def table(results: dict[str, Any]) -> str:
    """One Markdown table a job; what it was measured on stands above."""
    machine, versions = results["machine"], results["versions"]
    repeats = _repeats(results["runs"])
    commits = " and ".join(dict.fromkeys(part["commit"] for part in results.get("parts", [results])))
    lines = [
        f"One core of {machine['processor']}, the broker on another; medians of {repeats}, least and greatest in brackets; "
        f"commit {commits}; Python {versions['python']}, {versions.get('java', '')}, Kafka {versions['kafka']}."
    ]
    commands = [f"`{part['command']}`" for part in results.get("parts", [results])]
    lines += ["", f"Run as {' and '.join(commands)}."]
    for job, runs in by_job(results).items():
        lines += ["", f"**{JOBS.get(job, job)}**", "", f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
        lines += [f"| {' | '.join(row)} |" for row in rows(runs)]
    lines += latency_lines(results)
    return "\n".join(lines) + "\n"


def rows(runs: list[dict[str, Any]]) -> list[list[str]]:
    ours = next((each for each in runs if each["system"] == OURS), None)
    return [
        [
            title(each),
            spread(each, "events_per_s"),
            spread(each, "events_per_cpu_s"),
            ratio(ours, each),
            f"{each['rss_mb']:,.0f}",
            f"{each['broker_bytes_per_event']:,.0f}",
        ]
        for each in runs
    ]


def latency_lines(results: dict[str, Any]) -> list[str]:
    """Produced to readable, at fixed rates."""
    found = [each for each in results["runs"] if each["rate"] is not None]
    if not found:
        return []
    lines = [
        "",
        "**Produced to alert readable (read_committed), ms**",
        "",
        "| | rate/s | partitions | p50 | p99 | p99.9 |",
    ]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    found.sort(key=lambda run: (run["rate"], run["keys"] == LONELY, title(run)))
    return lines + [
        f"| {title(each)} | {each['rate']:,.0f} | {'one, three idle' if each['keys'] == LONELY else 'four'} | "
        f"{each['p50_ms']:.1f} | {each['p99_ms']:.1f} | {each['p999_ms']:.1f} |"
        for each in found
    ]


def by_job(results: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Throughput runs, the fastest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in results["runs"]:
        if each["rate"] is None:
            found.setdefault(each["job"], []).append(each)
    return {job: sorted(runs, key=lambda run: -run["events_per_cpu_s"]) for job, runs in found.items()}


def title(run: dict[str, Any]) -> str:
    return f"{run['system']}, {run['mode']}"


def spread(run: dict[str, Any], figure: str) -> str:
    return f"{run[figure]:,.0f} ({run['min'][figure]:,.0f} - {run['max'][figure]:,.0f})"


def ratio(ours: dict[str, Any] | None, run: dict[str, Any]) -> str:
    """How many times as many events a CPU second ours does."""
    if ours is None or run is ours:
        return ""
    times = ours["events_per_cpu_s"] / run["events_per_cpu_s"]
    return f"{times:,.0f} x" if times >= 10 else f"{times:.1f} x"


def chart(results: dict[str, Any]) -> str:
    """Bars of events a CPU second, from 0, one group a job."""
    bars, y = [], 10
    most = max((each["events_per_cpu_s"] for runs in by_job(results).values() for each in runs), default=1)
    for job, runs in by_job(results).items():
        bars.append(f'<text x="10" y="{y + 14}" font-weight="bold">{JOBS.get(job, job)}: events a CPU second</text>')
        y += TOP
        for run in runs:
            width = (WIDTH - LABEL - 90) * run["events_per_cpu_s"] / most
            colour = COLOURS.get(run["system"], OTHER)
            bars += [
                f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{title(run)}</text>',
                f'<rect x="{LABEL}" y="{y}" width="{max(width, 1):.1f}" height="{BAR}" fill="{colour}"/>',
                f'<text x="{LABEL + width + 6:.1f}" y="{y + 13}">{run["events_per_cpu_s"]:,.0f}</text>',
            ]
            y += BAR + GAP
        y += 12
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}"'
    style = 'font-family="sans-serif" font-size="12" fill="#24292f"'
    return f'{head} {style}><rect width="{WIDTH}" height="{y}" fill="#ffffff"/>{"".join(bars)}</svg>\n'


if __name__ == "__main__":
    main()
