"""Schemas, model, rules, exchange table: can what decides be loaded, exactly as the worker loads it?"""

from monitor.artifacts import Shelf, policy_of
from monitor.commands.checks.finding import Finding, fail, ok, warn
from monitor.errors import ArtifactError, ExchangeError, SchemaError, SchemaUnavailable, SchemaUnknown, SettingsError
from monitor.money.exchange import load_exchange
from monitor.scoring.artifact import load_model
from monitor.settings import Settings
from monitor.wire.decode import compile_reader
from monitor.wire.schema_source import open_source


def check_schemas(settings: Settings) -> Finding:
    """Does the schema source answer, does it know our transaction schema, and can we read it? Nothing is registered."""
    subject = f"{settings.topic_transactions}-value"
    where = settings.schema_registry_url or str(settings.schemas_dir)
    # Looking must not register: that is for the worker, and for producers.
    looking = settings.model_copy(update={"schema_auto_register": False})
    try:
        source = open_source(looking)
        try:
            schema_id = source.id_of(subject, (settings.schemas_dir / "transaction.avsc").read_text())
            compile_reader(source.writer_schema(schema_id))
        finally:
            source.close()
    except SchemaUnknown as error:
        return warn(
            "schemas", f"{where}: {error}", "producers register it with their first record; until then nothing is wrong"
        )
    except SchemaUnavailable as error:
        return fail("schemas", str(error), "check schema_registry_url, the network and the password")
    except (SchemaError, OSError) as error:
        return fail("schemas", str(error), "name a directory with transaction.avsc and ids.json in schemas_dir")
    return ok("schemas", f"{where}: {subject} has id {schema_id}, and we can read it")


def check_model(settings: Settings) -> Finding:
    """Does the model that serves pass its digest and its golden vectors?"""
    try:
        model = load_model(settings.models_dir)
        policy_of(settings).check(settings.models_dir, model.version, model.seal)
    except (ArtifactError, SettingsError) as error:
        return fail("model", str(error), "monitor train writes one; models_dir names the directory of versions")
    return ok(
        "model",
        f"{model.version}: {len(model.features)} features, review from {model.review_threshold:.4g}, block from {model.block_threshold:.4g}",
    )


def check_rules(settings: Settings) -> Finding:
    """Do the rules in force pass their digest and the policy of approvals?"""
    try:
        shelf = Shelf(settings)
    except SettingsError as error:
        return fail("rules", str(error), "correct rules_signers and rules_approvals")
    shelf.look()
    rules = shelf.held.rules
    if rules is None:
        return fail("rules", "; ".join(shelf.held.refused), "monitor rules list says which versions there are")
    if not rules.version:
        return ok("rules", f"{settings.rules_dir}: none in force")
    states = [rule.state.name.lower() for rule in rules.rules]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)) or "no rules"
    return ok("rules", f"{rules.version}: {counts}")


def check_exchange(settings: Settings) -> Finding:
    """Can amounts be converted?"""
    try:
        table = load_exchange(settings.exchange_rates)
    except ExchangeError as error:
        return fail("exchange", str(error), "correct the file, or unset exchange_rates for the shipped one")
    what = f"version {table.version} in {table.base}, as of {table.as_of}"
    if settings.exchange_rates is None:
        return warn(
            "exchange", f"{what}: the sample that ships with the program", "set exchange_rates to a table of your own"
        )
    return ok("exchange", what)
