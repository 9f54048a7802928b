"""A fraud and anomaly monitor for payments on Kafka. Read `monitor/pipeline.py` first."""

from importlib.metadata import version

__version__ = version("fraud-monitor")
