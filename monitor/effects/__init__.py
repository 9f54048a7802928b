"""What a run leaves behind: alerts, dead letters, changelog records and one audit block."""
