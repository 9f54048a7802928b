"""What people decide by hand while it runs: suppressions, overrides, words of lists, rails. Kept whole in a topic, named by each block."""
