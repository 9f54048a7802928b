"""What a record must pass before it may touch state."""
