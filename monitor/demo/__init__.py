"""The main job on an embedded default: a broker, simulated payments, the worker, and its alerts in one terminal."""
