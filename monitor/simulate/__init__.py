"""Seeded transactions with labelled fraud, for demo, benchmarks and tests."""
