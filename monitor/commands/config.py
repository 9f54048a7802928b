"""`monitor config`: where each setting comes from, whether they hold together, and a file to start from."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from monitor.commands.settings_reference import plain, toml_template
from monitor.errors import SettingsError
from monitor.settings import PREFIX, UNSAFE_HASH_KEY, Settings, load_settings, load_sourced

DEFAULT_FILE = Path("monitor.toml")


@click.group()
def config() -> None:
    """Settings: show them, check them, or write a file to start from."""


@config.command(short_help="Every setting, its value and where that came from.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: name -> value and source.")
@click.pass_obj
def show(path: Path | None, as_json: bool) -> None:
    """Every setting, its value, and where that came from. Secrets are shown as ***."""
    sourced = load_sourced(path)
    rows = {name: (plain(getattr(sourced.settings, name)), source) for name, source in sourced.sources.items()}
    if as_json:
        click.echo(json.dumps({name: {"value": value, "source": source} for name, (value, source) in rows.items()}))
        return
    width = max(map(len, rows))
    for name, (value, source) in rows.items():
        click.echo(f"{name:<{width}}  {source:<11}  {'(unset)' if value is None else json.dumps(value).strip(chr(34))}")


@config.command(short_help="Do they hold together? Are the files there?")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Do the settings hold together, and are the files there that they name? Exit code 1 for a problem, 78 for a wrong setting."""
    settings = load_settings(ctx.obj)
    problems = list(_missing_files(settings))
    for problem in problems:
        click.echo(f"fail  {problem}")
    for warning in warnings(settings):
        click.echo(f"warn  {warning}")
    if problems:
        ctx.exit(1)
    click.echo(f"ok    {len(Settings.model_fields)} settings")


@config.command(short_help="Write a file with all settings at their defaults.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=DEFAULT_FILE)
def init(file: Path) -> None:
    """Write FILE (monitor.toml): every setting, described, commented out at its default. An existing file stays as it is."""
    try:
        with file.open("x", encoding="utf-8") as output:
            output.write(toml_template())
    except FileExistsError:
        raise SettingsError(f"config {file}: exists already; give another name, or remove it first") from None
    except OSError as error:
        raise SettingsError(f"config {file}: cannot be written ({error.strerror}); give another place") from None
    click.echo(f"wrote {file}; use it with `monitor --config {file} ...` or {PREFIX}CONFIG={file}")


def warnings(settings: Settings) -> Iterator[str]:
    """What is permitted and should not be so in production."""
    if settings.hash_key.get_secret_value() == UNSAFE_HASH_KEY:
        yield (
            "hash_key = zeros, the default: whoever knows that can make keys collide; "
            "set it once from `openssl rand -hex 16`, before there is state"
        )
    if (
        settings.allow_plaintext
        and not settings.security_protocol.endswith("SSL")
        and not settings.brokers_on_loopback()
    ):
        yield f"allow_plaintext = true: payments go unencrypted to {settings.brokers}; set security_protocol SSL or SASL_SSL"


def _missing_files(settings: Settings) -> Iterator[str]:
    for name in ("schemas_dir", "models_dir"):
        directory: Path = getattr(settings, name)
        # With a registry the directory still holds our own schemas, those that alerts are written with.
        if not directory.is_dir():
            yield f"{name} = {directory}: no such directory; name one, or unset it for the shipped one"
    for name in ("exchange_rates", "ssl_ca", "ssl_certificate", "ssl_key"):
        file: Path | None = getattr(settings, name)
        if file is not None and not file.is_file():
            yield f"{name} = {file}: no such file; name one, or unset it"
