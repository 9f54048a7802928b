"""Amounts: integers in minor units, converted by a versioned table, never added across currencies."""
