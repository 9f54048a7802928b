"""What people see of it: metrics, health, logs."""
