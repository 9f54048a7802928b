"""/metrics, /live, /ready and /rails, from the worker's own event loop: a loop that no longer turns does not answer."""

import json
from html import escape

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from monitor import __version__
from monitor.errors import SettingsError
from monitor.observe.health import Health, Verdict

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_PAGES = {
    "/metrics": "what is counted and measured, for Prometheus",
    "/live": "whether the process makes progress; 503 asks for a restart",
    "/ready": "whether it decides transactions; 503 while it is loading state",
    "/rails": "how each payment rail does, and which are walled off",
}

_STOP_S = 1.0
"""How long open requests may delay the worker's end: a scrape takes milliseconds."""


class HttpServer:
    """The worker's pages on `bind`, HOST:PORT. Port 0 picks a free one: `url` says which after `start`."""

    def __init__(self, bind: str, registry: CollectorRegistry, health: Health) -> None:
        self._bind = bind
        self._host, self._port = parse_bind(bind)
        self._registry = registry
        self._health = health
        self._runner: web.AppRunner | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """The address of the index page, without a slash at the end; empty unless started."""
        return self._url

    async def start(self) -> None:
        """Listen. Raises `SettingsError` when the address cannot be had."""
        app = web.Application()
        app.add_routes([web.get("/", self._index), web.get("/metrics", self._metrics)])
        app.add_routes([web.get("/live", self._live), web.get("/ready", self._ready), web.get("/rails", self._rails)])
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_STOP_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise SettingsError(
                f"http_bind = {self._bind!r}: cannot listen ({error.strerror}); choose another port, or 0 for a free one"
            ) from error
        self._runner = runner
        port = runner.addresses[0][1]
        self._url = f"http://[{self._host}]:{port}" if ":" in self._host else f"http://{self._host}:{port}"

    async def stop(self) -> None:
        """Stop listening; without a start it does nothing."""
        runner, self._runner, self._url = self._runner, None, ""
        if runner is not None:
            await runner.cleanup()

    async def _index(self, _: web.Request) -> web.Response:
        items = "".join(f'<li><a href="{path}">{path}</a>: {escape(text)}</li>' for path, text in _PAGES.items())
        page = f"<!doctype html><html lang=en><title>fraud monitor</title><h1>fraud monitor {escape(__version__)}</h1><ul>{items}</ul></html>"
        return web.Response(text=page, content_type="text/html", headers=_HEADERS)

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(",".join(request.headers.getall("Accept", [])))
        return web.Response(body=encode(self._registry), headers={**_HEADERS, "Content-Type": content_type})

    async def _live(self, _: web.Request) -> web.Response:
        return _answer(self._health.live())

    async def _ready(self, _: web.Request) -> web.Response:
        return _answer(self._health.ready())

    async def _rails(self, _: web.Request) -> web.Response:
        return _answer((True, self._health.rails))


def parse_bind(bind: str) -> tuple[str, int]:
    """Host and port of HOST:PORT or [IPV6]:PORT. Raises `SettingsError`."""
    host, _, port = bind.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise SettingsError(
            f"http_bind = {bind!r}: not HOST:PORT with a port of 0 to 65535; write for example 127.0.0.1:8080"
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


def _answer(verdict: Verdict) -> web.Response:
    ok, detail = verdict
    return web.Response(
        text=json.dumps(detail) + "\n", status=200 if ok else 503, content_type="application/json", headers=_HEADERS
    )
