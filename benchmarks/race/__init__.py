"""The race: ours and the peers do one job on one Kafka, side by side. `python -m benchmarks.race`; README.md says what the job is."""
