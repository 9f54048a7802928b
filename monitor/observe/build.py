"""What is running: the facts that `monitor_build_info` shows."""

import platform
from importlib.metadata import version as installed_version

from monitor import __version__


def build_facts() -> dict[str, str]:
    """Versions by name."""
    return {
        "version": __version__,
        "python": platform.python_version(),
        "faust_streaming": installed_version("faust-streaming"),
        "confluent_kafka": installed_version("confluent-kafka"),
    }
