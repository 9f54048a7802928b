"""From a score to an outcome. A score is not a decision."""
