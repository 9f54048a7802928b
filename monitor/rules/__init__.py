"""Rules that people write: a file, a small total language over a run's columns, and what held."""
