"""The files that put the worker on machines name settings, commands, paths and ports that exist."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from monitor.cli import monitor
from monitor.observe.http import parse_bind
from monitor.settings import PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "fraud-monitor"
OURS = ("topics", "worker", "simulator")
"""The compose services that run our own image."""


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read(ROOT / "docker-compose.yml")


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def deployment() -> str:
    return (CHART / "templates" / "deployment.yaml").read_text()


def names(text: str) -> set[str]:
    """The settings that `text` sets or mentions, without the prefix and in lower case."""
    return {name.lower() for name in re.findall(rf"\b{PREFIX}([A-Z_]+)\b", text)}


@pytest.mark.parametrize(
    "path",
    [
        "docker-compose.yml",
        "Dockerfile",
        "helm/fraud-monitor/values.yaml",
        "helm/fraud-monitor/templates/deployment.yaml",
        "examples/retrain-cronjob.yaml",
    ],
)
def test_every_variable_is_a_setting(path):
    assert names((ROOT / path).read_text()) - set(Settings.model_fields) == set()


@pytest.mark.parametrize("service", OURS)
def test_the_settings_of_a_compose_service_are_accepted_together(compose, dockerfile, service):
    image = dict(re.findall(rf"({PREFIX}\w+)=(\S+)", dockerfile))
    settings = load_settings(environ={**image, **compose["services"][service]["environment"]})
    assert settings.allow_plaintext
    assert settings.brokers == "kafka:9092"
    assert settings.schema_registry_url is not None
    assert settings.schema_registry_url.endswith("/apis/ccompat/v7")


@pytest.mark.parametrize("service", OURS)
def test_a_compose_service_runs_a_command_line_that_exists(compose, service):
    command: click.Command = monitor
    context = click.Context(monitor)
    rest = compose["services"][service]["command"]
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, rest)
    command.make_context(name, list(rest))  # an unknown option or value raises


def test_addresses_between_compose_services_name_services(compose):
    services = compose["services"]
    for service in OURS:
        environment = services[service]["environment"]
        assert parse_bind(environment["MONITOR_BROKERS"])[0] in services
        assert re.match(r"http://(\w+):", environment["MONITOR_SCHEMA_REGISTRY_URL"])[1] in services
    scrape = yaml.safe_load(compose["configs"]["prometheus"]["content"])["scrape_configs"][0]["dns_sd_configs"][0]
    assert scrape["names"] == ["worker"]
    assert scrape["port"] == parse_bind(services["worker"]["environment"]["MONITOR_HTTP_BIND"])[1]


def test_compose_depends_on_services_that_can_be_waited_for(compose):
    services = compose["services"]
    for name, service in services.items():
        for other, wait in service.get("depends_on", {}).items():
            assert other in services, name
            if wait["condition"] == "service_healthy":
                assert "test" in services[other]["healthcheck"], (name, other)


def test_compose_publishes_on_loopback_only(compose):
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_the_simulator_runs_only_when_asked_for(compose):
    assert compose["services"]["simulator"]["profiles"]
    assert [name for name, service in compose["services"].items() if "profiles" in service] == ["simulator"]


def test_images_are_of_a_named_version(compose, dockerfile):
    images = [service["image"] for service in compose["services"].values() if "build" not in service]
    images += re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert images
    for image in images:
        assert re.search(r":v?\d+\.\d+", image), image


@pytest.mark.parametrize("service", OURS)
def test_our_containers_cannot_gain_rights_or_write(compose, service):
    container = compose["services"][service]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]


def test_a_container_may_finish_its_run_before_it_is_killed(compose):
    commit_timeout_s = Settings.model_fields["commit_timeout_s"].default
    assert int(compose["services"]["worker"]["stop_grace_period"].removesuffix("s")) > commit_timeout_s
    assert read(CHART / "values.yaml")["terminationGracePeriodSeconds"] > commit_timeout_s


def test_the_image_is_built_of_locked_hashes_and_runs_as_nobody_special(dockerfile):
    assert "--require-hashes -r requirements.lock" in dockerfile
    user = re.findall(r"^USER (\d+):(\d+)$", dockerfile, re.MULTILINE)
    assert len(user) == 1
    assert int(user[0][0]) > 0
    assert dockerfile.index("USER ") < dockerfile.index("ENTRYPOINT")


def test_the_image_copies_what_is_there_and_its_context_holds_it(dockerfile):
    admitted = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = set(re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE))
    sources = {source for line in copied if not line.startswith("--from") for source in line.split()}
    assert sources == admitted
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_image_is_healthy_when_the_worker_is_live(dockerfile):
    health = dockerfile[dockerfile.index("HEALTHCHECK") :]
    port = parse_bind(re.search(r"MONITOR_HTTP_BIND=(\S+)", dockerfile)[1])[1]
    assert f"http://127.0.0.1:{port}/live" in health


def test_the_chart_is_versioned_as_the_program_is():
    chart = read(CHART / "Chart.yaml")
    project = (ROOT / "pyproject.toml").read_text()
    assert chart["name"] == re.search(r'^name = "(.+)"', project, re.MULTILINE)[1]
    assert chart["appVersion"] == re.search(r'^version = "(.+)"', project, re.MULTILINE)[1]


def test_the_settings_of_the_chart_are_accepted_together():
    values = read(CHART / "values.yaml")
    environ = {f"{PREFIX}{name.upper()}": str(value) for name, value in values["settings"].items()}
    settings = load_settings(environ={**environ, f"{PREFIX}LOG_LEVEL": values["logLevel"]})
    assert settings.security_protocol == "SSL"


def test_every_value_a_template_takes_is_in_the_chart():
    values = read(CHART / "values.yaml")
    for template in (CHART / "templates").iterdir():
        for path in re.findall(r"\.Values\.([A-Za-z.]+)", template.read_text()):
            found = values
            for part in path.split("."):
                assert part in found, f"{template.name}: .Values.{path}"
                found = found[part]


def test_the_probes_of_the_chart_ask_the_pages_that_exist(deployment):
    assert re.findall(r"(\w+)Probe:\s+httpGet: \{path: (/\w+), port: http\}", deployment) == [
        ("startup", "/live"),
        ("liveness", "/live"),
        ("readiness", "/ready"),
    ]


def test_the_pod_has_no_rights_it_does_not_need(deployment):
    for line in (
        "runAsNonRoot: true",
        "allowPrivilegeEscalation: false",
        "readOnlyRootFilesystem: true",
        "capabilities: {drop: [ALL]}",
        "seccompProfile: {type: RuntimeDefault}",
        "automountServiceAccountToken: false",
    ):
        assert line in deployment


def test_a_service_of_the_namespace_cannot_be_taken_for_a_setting(deployment):
    assert "enableServiceLinks: false" in deployment
