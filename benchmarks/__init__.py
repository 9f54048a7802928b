"""What things cost, measured by committed commands: `make bench`."""
