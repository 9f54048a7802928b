"""A fraud and anomaly monitor for payments on Kafka. Read `monitor/pipeline.py` first."""

from importlib.metadata import version

from monitor.kernel_cache import use_own_directory

__version__ = version("fraud-monitor")

use_own_directory()  # before any module imports numba
