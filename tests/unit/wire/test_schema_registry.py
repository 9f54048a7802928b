"""A registry that fails in every way over real HTTP. A real registry is in tests/contract/test_schema_sources.py."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from monitor.errors import SchemaIncompatible, SchemaUnavailable, SchemaUnknown
from monitor.wire.schema_registry import BREAKER_FAILURES, RegistrySchemas


class Failing(ThreadingHTTPServer):
    """Answers each request with the next of `answers` (status, JSON or text), the last one for ever; keeps the requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers, self.requests, self.released = [(200, {"schema": '"int"'})], [], threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, body, self.headers.get("Authorization")))
        answers = self.server.answers
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if status == "hang":
            self.server.released.wait(20)
        if status in ("hang", "hang up"):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_GET

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Failing() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def open_registry(server):
    opened = []

    def make(**options):
        opened.append(RegistrySchemas(server.url + "/", **{"timeout_s": 10.0} | options))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


UNKNOWN = (404, {"error_code": 40403, "message": "Schema not found"})


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (UNKNOWN, SchemaUnknown, "Schema not found"),
        ((404, "<html>no such page</html>"), SchemaUnavailable, "ccompat"),
        ((404, {"error_code": 404, "message": "HTTP 404 Not Found"}), SchemaUnavailable, "ccompat"),
        ((401, {"error_code": 401, "message": "Unauthorized"}), SchemaUnavailable, "schema_registry_password"),
        ((403, "no"), SchemaUnavailable, "schema_registry_user"),
        ((429, {"message": "slow down"}), SchemaUnavailable, "429"),
        ((500, {"error_code": 50001, "message": "store failed"}), SchemaUnavailable, "store failed"),
        ((503, ""), SchemaUnavailable, "503"),
        ((302, ""), SchemaUnavailable, "302"),
        ((200, "not json"), SchemaUnavailable, "200"),
        ((200, ["a", "list"]), SchemaUnavailable, "200"),
        ((200, {"schema": 5}), SchemaUnavailable, "without a schema"),
        (("hang up", ""), SchemaUnavailable, "no answer"),
        ((200, {"schema": "syntax", "schemaType": "PROTOBUF"}), SchemaIncompatible, "PROTOBUF"),
        (
            (200, {"schema": '"int"', "references": [{"name": "com.example.Money"}]}),
            SchemaIncompatible,
            "com.example.Money",
        ),
    ],
)
def test_each_answer_means_one_error_that_says_what_to_do(answer, error, said, server, open_registry):
    server.answers = [answer]

    with pytest.raises(error, match=said) as raised:
        open_registry().writer_schema(5)
    assert type(raised.value) is error


def test_a_registry_that_is_not_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(SchemaUnavailable, match="is it running"):
        RegistrySchemas(url).writer_schema(1)


def test_a_registry_that_does_not_answer_in_time_is_unavailable_and_not_asked_twice(server, open_registry):
    server.answers = [("hang", "")]

    with pytest.raises(SchemaUnavailable, match="ReadTimeout"):
        open_registry(timeout_s=0.2).writer_schema(1)
    assert len(server.requests) == 1


def test_a_connection_that_was_closed_meanwhile_is_opened_again(server, open_registry):
    server.answers = [("hang up", ""), (200, {"schema": '"long"'})]

    assert open_registry().writer_schema(1) == '"long"'


def test_the_breaker_opens_after_failures_in_a_row_and_spares_the_registry(server, open_registry):
    heard = []
    registry = open_registry(on_breaker=heard.append)
    server.answers = [(500, "")]

    for _ in range(BREAKER_FAILURES + 3):
        with pytest.raises(SchemaUnavailable):
            registry.writer_schema(1)

    assert len(server.requests) == BREAKER_FAILURES
    assert heard == [True]
    with pytest.raises(SchemaUnavailable, match="left alone"):
        registry.id_of("t-value", '"int"')


def test_an_answer_of_no_is_no_failure(server, open_registry):
    registry = open_registry()
    server.answers = [UNKNOWN]

    for _ in range(BREAKER_FAILURES * 2):
        with pytest.raises(SchemaUnknown):
            registry.writer_schema(1)

    assert len(server.requests) == BREAKER_FAILURES * 2


@pytest.mark.parametrize(("probe", "heard_then"), [((200, {"schema": '"int"'}), False), ((500, ""), True)])
def test_one_call_is_let_through_when_its_time_is_up_and_decides(probe, heard_then, server, open_registry):
    heard = []
    registry = open_registry(on_breaker=heard.append, breaker_open_s=0.001)  # over before the next request can be made
    server.answers = [(500, "")] * BREAKER_FAILURES + [probe]
    for _ in range(BREAKER_FAILURES):
        with pytest.raises(SchemaUnavailable):
            registry.writer_schema(1)
    assert heard == [True]

    deadline = threading.Event()
    while len(server.requests) == BREAKER_FAILURES:
        try:
            registry.writer_schema(1)
        except SchemaUnavailable:
            deadline.wait(0.001)

    assert heard[-1] is heard_then


def test_user_and_password_are_sent_as_http_basic_and_never_shown(server, open_registry):
    registry = open_registry(user="monitor", password="s3cret")
    registry.writer_schema(1)
    server.answers = [(401, "")]

    with pytest.raises(SchemaUnavailable) as refused:
        registry.writer_schema(2)

    assert server.requests[0][3] == "Basic bW9uaXRvcjpzM2NyZXQ="
    assert "s3cret" not in str(refused.value)


def test_a_schema_refused_at_registration_is_incompatible(server, open_registry):
    server.answers = [UNKNOWN, (409, {"error_code": 409, "message": "incompatible with an earlier schema"})]

    with pytest.raises(SchemaIncompatible, match="earlier schema"):
        open_registry(register=True).id_of("a/b-value", '"int"')
    assert [request[1] for request in server.requests] == ["/subjects/a%2Fb-value", "/subjects/a%2Fb-value/versions"]


def test_an_answer_without_an_id_is_unavailable(server, open_registry):
    with pytest.raises(SchemaUnavailable, match="without an id"):
        open_registry().id_of("t-value", '"int"')
