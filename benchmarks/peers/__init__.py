"""The peers of the race, each written as its experts would write it; benchmarks/race/README.md says how."""
