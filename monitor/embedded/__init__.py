"""Brokers this program starts itself, on loopback, for the demo and the tests."""
