"""The JSON Schema of files of rules, for editors. `python -m monitor.commands.rules_schema > schemas/rules.schema.json` writes it; a test holds it to the code."""

import json

from monitor.rules.rule_file import RulesEntry


def schema() -> str:
    """Its text."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Rules of the fraud monitor"}
    return json.dumps(RulesEntry.model_json_schema() | made, indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
