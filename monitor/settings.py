"""All settings, in one frozen object: environment `MONITOR_*` over a TOML file over defaults. Unknown names fail.

The TOML file is `--config FILE` or `MONITOR_CONFIG`; its keys are the names below, in lower case, without a prefix. An empty
environment variable counts as unset: compose files and charts pass those on.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from monitor.errors import SettingsError
from monitor.settings_model import UNSAFE_HASH_KEY, Settings, is_secret

__all__ = [
    "CONFIG_VARIABLE",
    "PREFIX",
    "UNSAFE_HASH_KEY",
    "Settings",
    "Sourced",
    "is_secret",
    "load_settings",
    "load_sourced",
]

PREFIX = "MONITOR_"
CONFIG_VARIABLE = "MONITOR_CONFIG"
_SERVICE_LINK = re.compile(r"service_host|service_port|port(_\d+_(tcp|udp).*)?$")


@dataclass(frozen=True, slots=True)
class Sourced:
    """Settings, and for each setting's name where its value came from: `default`, `file`, `environment` or `override`."""

    settings: Settings
    sources: Mapping[str, str]


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from `overrides` over the environment over the TOML file over defaults.

    Raises `SettingsError` naming the setting, its value and the fix.
    """
    return load_sourced(config, environ, overrides).settings


def load_sourced(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Sourced:
    """The same as `load_settings`, with the source of each value."""
    environ = os.environ if environ is None else environ
    if config is None and environ.get(CONFIG_VARIABLE):
        config = Path(environ[CONFIG_VARIABLE])
    layers: dict[str, Mapping[str, Any]] = {
        "file": _from_toml(config) if config is not None else {},
        "environment": {
            name.removeprefix(PREFIX).lower(): text
            for name, text in environ.items()
            if name.startswith(PREFIX) and name != CONFIG_VARIABLE and text != ""
        },
        "override": overrides or {},
    }
    values = {name: value for layer in layers.values() for name, value in layer.items()}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(e) for e in error.errors())) from None
    sources = dict.fromkeys(Settings.model_fields, "default")
    sources.update((name, source) for source, layer in layers.items() for name in layer)
    return Sourced(settings, sources)


def _from_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(
            f"config {path}: cannot be read ({error.strerror}); `monitor config init` writes one"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"config {path}: not TOML ({error}); fix that line") from None


def _explain(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"]) or "settings"
    if error["type"] == "extra_forbidden":
        if _SERVICE_LINK.match(name):
            return f"{name}: no such setting; Kubernetes made it for a Service named monitor: set enableServiceLinks: false"
        near = difflib.get_close_matches(name, Settings.model_fields, n=1)
        hint = f"did you mean {near[0]}?" if near else "`monitor config show` lists all"
        return f"{name}: no such setting ({PREFIX}{name.upper()}); {hint}"
    if error["loc"] == ():
        return str(error["msg"]).removeprefix("Value error, ")
    value = "***" if name in Settings.model_fields and is_secret(name) else repr(error["input"])
    return f"{name} = {value}: {error['msg'].removeprefix('Value error, ')}"
