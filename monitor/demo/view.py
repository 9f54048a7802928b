"""The live view of the demo: what comes in, how long it takes, and the latest alerts with their reasons."""

import re
from collections import deque
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from monitor.demo.tally import Tally
from monitor.money.currencies import exponents

BARS = "▁▂▃▄▅▆▇█"
HISTORY = 60
ALERTS_SHOWN = 9
STYLES = {"approve": "green", "review": "yellow", "block": "bold red"}
_BUCKET = re.compile(r'monitor_record_to_commit_seconds_bucket\{le="([^"]+)"\}')


class View:
    """Draws a frame from the tally and the worker's metrics; keeps the throughput of the last minute."""

    def __init__(self, broker: str, url: str, log_file: str) -> None:
        self._broker, self._url, self._log_file = broker, url, log_file
        self._rates: deque[float] = deque(maxlen=HISTORY)
        self._before: tuple[float, int] | None = None
        self._buckets: dict[float, float] = {}
        self._fresh: dict[float, float] = {}

    def frame(self, tally: Tally, metrics: Mapping[str, float], now_s: float, status: str) -> RenderableType:
        """One picture; `now_s` monotonic, for the rate since the frame before."""
        if self._before is not None and now_s > self._before[0]:
            self._rates.append((tally.transactions_in - self._before[1]) / (now_s - self._before[0]))
        self._before = (now_s, tally.transactions_in)
        return Group(self._head(status), self._figures(tally, metrics), self._alerts(tally))

    def _head(self, status: str) -> RenderableType:
        text = Text.assemble(
            ("fraud monitor", "bold"), f"  {status}\n",
            ("broker ", "dim"), self._broker, "\n",
            ("pages  ", "dim"), f"{self._url}/metrics  {self._url}/live  {self._url}/ready", "\n",
            ("log    ", "dim"), self._log_file,
        )  # fmt: skip
        return Panel(text, border_style="blue")

    def _figures(self, tally: Tally, metrics: Mapping[str, float]) -> RenderableType:
        table = Table.grid(padding=(0, 3))
        p50, p99 = self._latency(metrics)
        precision, recall = tally.precision_and_recall()
        rate = self._rates[-1] if self._rates else 0.0
        table.add_row(
            "transactions",
            f"{tally.transactions_in:,}",
            "scored",
            f"{tally.scored:,}",
            "duplicates",
            f"{tally.duplicates:,}",
            "dead letters",
            f"{tally.dead_letters:,}",
        )
        table.add_row(
            "now",
            f"{rate:,.0f}/s",
            "to readable p50",
            p50,
            "p99",
            p99,
            "accounts",
            f"{sum(v for k, v in metrics.items() if k.startswith('monitor_accounts{')):,.0f}",
        )
        table.add_row(
            "alerts",
            Text(f"{tally.alerts:,} (+{tally.withheld:,} withheld)", "bold red"),
            "precision",
            _share(precision),
            "recall so far",
            _share(recall),
            "reconciles",
            "yes" if tally.reconciles else "NO",
        )
        return Panel(
            Group(table, Text(sparkline(self._rates), "green")), title="throughput and latency", border_style="blue"
        )

    def _latency(self, metrics: Mapping[str, float]) -> tuple[str, str]:
        """p50 and p99 of the records committed since the last frame that saw new ones, as bucket bounds."""
        now = {
            float(match[1].replace("+Inf", "inf")): value
            for name, value in metrics.items()
            if (match := _BUCKET.fullmatch(name))
        }
        fresh = {bound: count - self._buckets.get(bound, 0.0) for bound, count in now.items()}
        if fresh and max(fresh.values()) > 0:
            self._buckets, self._fresh = now, fresh
        return quantile(self._fresh, 0.5), quantile(self._fresh, 0.99)

    def _alerts(self, tally: Tally) -> RenderableType:
        table = Table(expand=True, box=None, header_style="dim")
        for name, justify in (
            ("time", "left"),
            ("outcome", "left"),
            ("score", "right"),
            ("amount", "right"),
            ("why", "left"),
        ):
            table.add_column(name, justify=justify, no_wrap=name != "why")  # type: ignore[arg-type]
        for alert in list(tally.latest)[-ALERTS_SHOWN:][::-1]:
            style = STYLES[alert["outcome"]]
            table.add_row(
                f"{alert['event_time']:%d %b %H:%M}",
                Text(alert["outcome"], style),
                f"{alert['anomaly_score']:.3f}",
                money(alert["amount_minor"], alert["currency"]),
                "; ".join(alert["reasons"][:2]),
            )
        return Panel(table, title="latest alerts, and why", border_style="red")


def sparkline(values: deque[float]) -> str:
    """The values as bars of eight heights."""
    top = max(values, default=0.0) or 1.0
    return "".join(BARS[min(7, int(value / top * 7.999))] for value in values)


def quantile(cumulative: Mapping[float, float], share: float) -> str:
    """The upper bound of the bucket that holds the quantile, in ms."""
    total = max(cumulative.values(), default=0.0)
    if total <= 0:
        return "-"
    bound = next(bound for bound in sorted(cumulative) if cumulative[bound] >= share * total)
    return "> 60 s" if bound == float("inf") else f"<= {bound * 1000:,.0f} ms"


def money(amount_minor: int, currency: str) -> str:
    """An amount in major units with as many digits as its currency has: 12.50 EUR, 1,250 JPY."""
    digits = exponents()[currency]
    return f"{amount_minor / 10**digits:,.{digits}f} {currency}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"
