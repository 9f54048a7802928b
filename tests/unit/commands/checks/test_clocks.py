"""What the doctor says of this machine's clock."""

import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from monitor.clock import ManualClock
from monitor.commands.checks.clocks import judge_clock, registry_ahead_ms
from monitor.settings import Settings

SKEW_MS = 300_000


def test_without_anything_to_compare_with_the_clock_is_not_judged():
    assert judge_clock({}, SKEW_MS).status == "skip"


def test_an_old_transaction_says_nothing_against_the_clock():
    assert judge_clock({"the newest transaction": -86_400_000}, SKEW_MS).status == "ok"


@pytest.mark.parametrize(("ahead_ms", "status"), [(5_000, "ok"), (5_001, "warn"), (300_000, "warn"), (300_001, "fail")])
def test_a_transaction_from_the_future_warns_and_fails_beyond_the_skew_allowed(ahead_ms, status):
    assert judge_clock({"the newest transaction": ahead_ms}, SKEW_MS).status == status


@pytest.mark.parametrize("ahead_ms", [-60_000, 60_000])
def test_a_registry_with_another_time_warns_in_either_direction(ahead_ms):
    finding = judge_clock({"the schema registry": ahead_ms}, SKEW_MS)
    assert finding.status == "warn"
    assert ("behind" if ahead_ms < 0 else "ahead") in finding.what


def test_what_was_measured_is_said():
    finding = judge_clock({"the schema registry": 400, "the newest transaction": -5}, SKEW_MS)
    assert "the schema registry +0.4 s" in finding.what
    assert "the newest transaction is not ahead" in finding.what


def test_the_registrys_clock_is_read_from_the_date_of_its_answer():
    class Dated(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response_only(404)
            self.send_header("Date", formatdate(1_790_000_060, usegmt=True))
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Dated) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            settings = Settings(schema_registry_url=f"http://127.0.0.1:{server.server_port}")
            assert registry_ahead_ms(settings, ManualClock(1_790_000_000_000)) == 60_500
        finally:
            server.shutdown()
            thread.join()


def test_no_registry_or_no_answer_is_no_measurement():
    assert registry_ahead_ms(Settings(), ManualClock()) is None
    assert registry_ahead_ms(Settings(schema_registry_url="http://127.0.0.1:1"), ManualClock()) is None
