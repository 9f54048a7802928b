"""What things cost, measured by committed commands: `make bench` (the race), `make stages` and the modules here."""
