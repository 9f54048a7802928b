"""The pages over a real socket."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from monitor.clock import ManualClock
from monitor.errors import SettingsError
from monitor.observe.health import Health
from monitor.observe.http import HttpServer, parse_bind
from monitor.observe.metrics import Metrics
from monitor.observe.run_figures import RunFigures


class Worker:
    """What the pages show, and the pages."""

    def __init__(self, bind: str = "127.0.0.1:0") -> None:
        self.clock = ManualClock()
        self.health = Health(self.clock)
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.server = HttpServer(bind, self.registry, self.health)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    worker = Worker()
    await worker.server.start()
    yield worker
    await worker.server.stop()


@pytest.fixture
async def client(worker: Worker) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=worker.server.url, trust_env=False) as client:
        yield client


async def test_metrics_are_prometheus_text_by_default(worker, client, run_figures: Callable[..., RunFigures]):
    worker.metrics.record_run(run_figures(4))
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in read_text(answer.text)}
    assert families["monitor_transactions_in"].samples[0].value == 4
    assert families["monitor_event_lag_seconds"].type == "histogram"


async def test_metrics_are_openmetrics_for_who_asks(client):
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert "monitor_runs" in {family.name for family in read_openmetrics(answer.text)}


async def test_no_created_series_double_the_counters(client):
    assert "_created" not in (await client.get("/metrics")).text


async def test_live_turns_to_503_with_the_reason_when_no_fetch_comes_back(worker, client):
    worker.health.note_started()
    answer = await client.get("/live")
    assert answer.status_code == 200
    assert answer.json()["live"] is True
    worker.clock.advance_ms(301_000)
    answer = await client.get("/live")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("application/json")
    assert "no fetch came back for 301.0 s" in answer.json()["problems"][0]


async def test_ready_is_503_until_the_assigned_partitions_are_recovered(worker, client):
    health = worker.health
    health.note_model("m1")
    assert (await client.get("/ready")).status_code == 503
    health.note_assigned([0])
    answer = await client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["problems"] == ["the state of partitions [0] is being loaded"]
    health.note_recovered(0)
    assert (await client.get("/ready")).status_code == 200


async def test_rails_are_answered_as_noted_and_those_that_are_not_healthy_stand_in_ready(worker, client):
    assert (await client.get("/rails")).json() == {"rails": []}
    card, wallet = {"rail": "card", "state": "healthy"}, {"rail": "wallet", "state": "walled", "why": "rejects"}
    worker.health.note_rails({"walled": "wallet=review", "rails": [card, wallet]})
    assert (await client.get("/rails")).json() == {"walled": "wallet=review", "rails": [card, wallet]}
    assert (await client.get("/ready")).json()["rails"] == [wallet]


async def test_the_index_links_the_other_pages(client):
    answer = await client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    for path in ("/metrics", "/live", "/ready", "/rails"):
        assert f'href="{path}"' in answer.text
        assert (await client.get(path)).status_code in {200, 503}


async def test_nothing_is_cached_and_nothing_else_is_there(client):
    assert (await client.get("/live")).headers["cache-control"] == "no-store"
    assert (await client.get("/accounts")).status_code == 404
    assert (await client.post("/metrics")).status_code == 405


async def test_a_port_in_use_is_a_settings_error_that_names_the_fix(worker):
    port = worker.server.url.rsplit(":", 1)[1]
    second = Worker(f"127.0.0.1:{port}")
    with pytest.raises(SettingsError, match=r"http_bind = .*choose another port, or 0"):
        await second.server.start()
    assert second.server.url == ""
    await second.server.stop()


async def test_after_stop_the_port_is_free_again(worker):
    url = worker.server.url
    await worker.server.stop()
    assert worker.server.url == ""
    again = Worker(url.removeprefix("http://"))
    await again.server.start()
    assert again.server.url == url
    await again.server.stop()


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:8080", ("::1", 8080)),
        ("metrics.internal:65535", ("metrics.internal", 65_535)),
    ],
)
def test_a_bind_is_host_and_port(bind, expected):
    assert parse_bind(bind) == expected


@pytest.mark.parametrize("bind", ["127.0.0.1", ":8080", "127.0.0.1:65536", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:٣"])
def test_a_bind_without_a_usable_port_is_refused_with_the_fix(bind):
    with pytest.raises(SettingsError, match="write for example"):
        parse_bind(bind)
