"""The commands of `monitor`, one a file."""
