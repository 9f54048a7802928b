"""What `monitor doctor` looks at, one subject a module. A check never raises for what it is there to find."""
