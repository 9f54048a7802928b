"""From transactions to a model artifact."""
