"""The catalogue of features: each named, described, with its unit."""
