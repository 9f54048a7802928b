"""`monitor rails`: how each payment rail does, as a running worker sees it (docs/rails.md)."""

import json
import time
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.table import Table

from monitor.errors import PageError, SettingsError
from monitor.observe.http import parse_bind
from monitor.settings import load_settings
from monitor.settings_model import on_loopback

TIMEOUT_S = 10.0
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (looked for, not bound)


@click.command()
@click.option("--url", metavar="URL", help="The worker's pages, such as http://127.0.0.1:8080; default: http_bind.")
@click.option("--json", "as_json", is_flag=True, help="The worker's answer as it is.")
@click.pass_obj
def rails(config: Path | None, url: str | None, as_json: bool) -> None:
    """Each payment rail of one worker: its state, and why; rejects, lag and silence."""
    found = ask(url or pages_of(load_settings(config).http_bind))
    if as_json:
        click.echo(json.dumps(found))
        return
    tell(found, time.time() * 1000, Console(highlight=False))


def pages_of(bind: str) -> str:
    """The address of a worker's pages on this machine. Raises `SettingsError` where `bind` leaves the port open."""
    host, port = parse_bind(bind)
    if not port:
        raise SettingsError(
            f"http_bind = {bind!r}: the worker took a free port; give --url, its log line `serving` has it"
        )
    host = _EVERY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def ask(url: str) -> dict[str, Any]:
    """What the worker's /rails says. Raises `PageError`."""
    page = f"{url.rstrip('/')}/rails"
    try:
        # a proxy of the environment knows no worker on this machine
        answer = httpx.get(page, timeout=TIMEOUT_S, trust_env=not on_loopback(httpx.URL(page).host))
        found: Any = answer.raise_for_status().json()
    except httpx.HTTPStatusError as error:
        raise PageError(f"{page}: {error.response.status_code}; is a worker of this version there?") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise PageError(f"{page}: no worker answers ({error}); start one, or give its --url") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or "rails" not in found:
        raise PageError(f"{page}: what answers there is no worker; give another --url")
    return found


def tell(found: dict[str, Any], now_ms: float, console: Console) -> None:
    """Print the table."""
    seconds = f"in {found['window_s']:g} s"
    table = Table("rail", "state", "since", f"records {seconds}", "rejected", "lag", "silent", box=None, pad_edge=False)
    for rail in found["rails"]:
        share = rail["reject_share"]
        since_s = None if rail["since_ms"] is None else (now_ms - rail["since_ms"]) / 1000
        table.add_row(
            rail["rail"],
            rail["state"] + (" (by hand)" if rail["by_hand"] else ""),
            _ago(since_s),
            f"{rail['records']:,}",
            "-" if share is None else f"{share:.1%}",
            _ago(rail["lag_s"]),
            _ago(rail["silence_s"]),
        )
    console.print(table)
    for rail in found["rails"]:
        if rail["why"]:
            console.print(f"{rail['rail']}: {rail['why']}")
    if found["walled"]:
        console.print(f"payments of walled-off rails get: {found['outcome']}")


def _ago(seconds: float | None) -> str:
    """A duration in its largest unit that is not 0."""
    if seconds is None:
        return "-"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
