"""The settings as people read them: the commented TOML of `monitor config init`, and docs/settings.md.

`python -m monitor.commands.settings_reference > docs/settings.md` writes the page; a test holds it to the code.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from monitor.settings import PREFIX, Settings

SECTIONS = (
    ("app_id", "Who and where"),
    ("models_dir", "What is served"),
    ("rail_outcome", "Payment rails"),
    ("topic_transactions", "Topics"),
    ("start", "Start of a new installation"),
    ("max_run_records", "Bounds"),
    ("commit_timeout_s", "Time"),
    ("security_protocol", "Security"),
    ("log_level", "Logs"),
    ("failpoints", "Tests of the product"),
)
"""The first setting of each section, in the order of the page."""

_PAGE = f"""\
# Settings

Environment variables `{PREFIX}*` go over a TOML file (`monitor --config FILE`, or `{PREFIX}CONFIG`), which goes over the
defaults. In the file the names stand in lower case, without the prefix. A name that does not exist, a value out of range and
settings that contradict each other stop the program with exit code 78 and a line that says what to do. An empty variable counts
as unset. `monitor config show` says where each value came from, `monitor config init` writes this list as a file.

This page is made by `python -m monitor.commands.settings_reference`.
"""


def sections() -> Iterator[tuple[str, list[str]]]:
    """Each section's title and the names of its settings."""
    titles, found, title = dict(SECTIONS), dict[str, list[str]](), ""
    for name in Settings.model_fields:
        title = titles.get(name, title)
        found.setdefault(title, []).append(name)
    for _, title in SECTIONS:
        yield title, found.pop(title)
    if found:
        raise AssertionError(f"settings of no section: {found}; name one in SECTIONS")


def markdown() -> str:
    """The page docs/settings.md."""
    lines = [_PAGE]
    for title, names in sections():
        lines += [f"## {title}", "", "| variable | default | allowed | what it is |", "| --- | --- | --- | --- |"]
        for name in names:
            field = Settings.model_fields[name]
            cells = (f"`{PREFIX}{name.upper()}`", _default_text(name, field), _allowed(name), field.description or "")
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def toml_template() -> str:
    """Every setting with its description, commented out at its default, or at an example where there is none."""
    lines = [
        "# Settings of the fraud monitor. Uncomment what differs; what stands here is the default.",
        f"# Variables {PREFIX}* go over this file: the better place for passwords and hash_key.",
    ]
    for title, names in sections():
        lines += ["", f"# --- {title} ---"]
        for name in names:
            field = Settings.model_fields[name]
            lines += ["", f"# {field.description} {_allowed_sentence(name)}".rstrip(), _toml_line(name, field)]
    return "\n".join(lines) + "\n"


def plain(value: Any) -> Any:
    """A setting's value as JSON and TOML have it; secrets are shown as ***."""
    if isinstance(value, SecretStr):
        return "***"
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _toml_line(name: str, field: FieldInfo) -> str:
    default = field.default
    if default is PydanticUndefined:
        return f'# {name} = "{_shipped(name)}"  # the one that ships with the program'
    if default is None:
        return f"# {name} = {json.dumps((field.examples or [''])[0])}  # an example; unset by default"
    value = default.get_secret_value() if isinstance(default, SecretStr) else plain(default)
    return f"# {name} = {json.dumps(value)}"


def _default_text(name: str, field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return f"the shipped `{_shipped(name)}`"
    if field.default is None:
        return "unset"
    if isinstance(field.default, SecretStr):
        return "zeros"
    return f"`{json.dumps(plain(field.default)).strip(chr(34))}`"


def _shipped(name: str) -> str:
    return name.removesuffix("_dir")


def _allowed(name: str) -> str:
    """What may stand there, from the JSON schema of the settings: a type, a range or a list of words."""
    described = _PROPERTIES[name]
    choices = [option for option in described.get("anyOf", [described]) if option.get("type") != "null"]
    option = choices[0]
    if "enum" in option:
        return ", ".join(f"`{word}`" for word in option["enum"])
    low, high = option.get("minimum", option.get("exclusiveMinimum")), option.get("maximum")
    if low is not None:
        above = "above " if "exclusiveMinimum" in option else ""
        return (
            f"{above}{low:g} to {_number(high)}"
            if high is not None
            else (f"{above}{low:g}" + ("" if above else " or more"))
        )
    if name == "hash_key":
        return "32 hex digits"
    kind = {"string": "text", "boolean": "`true`, `false`"}.get(option["type"], option["type"])
    return "path" if option.get("format") == "path" else kind


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _allowed_sentence(name: str) -> str:
    allowed = re.sub("`", "", _allowed(name))
    return "" if allowed in ("text", "path", "true, false") else f"({allowed})"


_PROPERTIES: dict[str, dict[str, Any]] = Settings.model_json_schema()["properties"]

if __name__ == "__main__":
    print(markdown(), end="")
