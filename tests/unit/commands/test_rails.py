"""`monitor rails`, against the pages themselves."""

import asyncio
import json
import threading

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from monitor.clock import ManualClock, SystemClock
from monitor.commands.rails import pages_of, rails
from monitor.embedded.process import free_ports
from monitor.errors import PageError, SettingsError
from monitor.observe.health import Health
from monitor.observe.http import HttpServer
from monitor.rail_lookout import page
from tests.unit.rails.conftest import Rails


@pytest.fixture
def url():
    """The pages of a worker whose wallet is walled off, in a loop of their own."""
    clock = SystemClock()
    on = Rails()
    on.now_s = clock.monotonic_s()
    on.send("wallet", good=10, bad=190)
    on.send("card", good=50, lag_s=70)
    on.watch.judge(on.now_s, {"transfer": "open"})
    health = Health(ManualClock())
    health.note_rails(page(on.watch, on.watch.reports(clock.monotonic_s()), clock))
    server, loop = HttpServer("127.0.0.1:0", CollectorRegistry(), health), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(20)
    yield server.url
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(20)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def invoke(*arguments: str, **environ: str):
    return CliRunner().invoke(rails, list(arguments), env={"COLUMNS": "120", **environ})


def test_the_table_has_each_rail_with_its_state_and_why(url):
    result = invoke("--url", url)
    lines = {line.split()[0]: line for line in result.output.splitlines() if line}
    assert result.exit_code == 0
    assert all(part in lines["card"] for part in ("healthy", "50", "0.0%", "1.0 min"))
    assert all(part in result.output for part in ("walled", "95.0%", "open (by hand)", "unknown"))
    assert "wallet: 190 of 200 records in 60 s were rejected" in result.output
    assert "payments of walled-off rails get: review" in result.output


def test_the_default_address_is_that_of_the_settings_and_json_is_the_answer_as_it_is(url):
    result = invoke("--json", MONITOR_HTTP_BIND=url.removeprefix("http://"))
    assert json.loads(result.output)["walled"] == "wallet=review"


def test_a_worker_on_this_machine_is_asked_directly_and_others_by_the_proxy_of_the_environment(url):
    (port,) = free_ports(1)
    nothing = dict.fromkeys(("http_proxy", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"))
    assert invoke("--url", url, **nothing, HTTP_PROXY=f"http://127.0.0.1:{port}").exit_code == 0
    assert invoke("--url", "http://worker.invalid:8080", **nothing, HTTP_PROXY=url).exit_code == 0


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("[::]:81", "http://[::1]:81"),
        ("monitor.internal:80", "http://monitor.internal:80"),
    ],
)
def test_an_address_to_bind_to_becomes_one_to_ask(bind, address):
    assert pages_of(bind) == address


def test_a_free_port_cannot_be_guessed():
    with pytest.raises(SettingsError, match="give --url"):
        pages_of("127.0.0.1:0")


def test_a_worker_that_does_not_answer_is_one_line_with_the_fix():
    (port,) = free_ports(1)
    error = invoke("--url", f"http://127.0.0.1:{port}").exception
    assert isinstance(error, PageError)
    assert "no worker answers" in str(error)
    assert "--url" in str(error)


@pytest.mark.parametrize(("path", "said"), [("/nothing", "404"), ("/live?", "no worker")])
def test_another_page_is_no_worker(url, path, said):
    error = invoke("--url", url + path).exception
    assert isinstance(error, PageError)
    assert said in str(error)
