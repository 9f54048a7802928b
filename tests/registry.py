"""A registry of models for tests."""

from monitor.registry.promotion import Registry
from monitor.scoring.artifact import load_model


def models_in(directory, policy):
    """As the commands make it, with a policy of the test's own."""
    return Registry(directory, policy, load_model, evaluated=True, command="models")
