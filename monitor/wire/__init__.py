"""Kafka and Avro: how bytes come in as columns and go out in one transaction."""
