"""Rules that look accounts up in a list without words of its own: for tests of words that come from elsewhere."""

WATCHED = """
version = "1"
[lists]
watched = []
[[rule]]
id = "watched"
version = 1
description = "Accounts that people name"
when = "account_id in watched"
band = [{reason_code = "watched", action = "block", text = "named by hand"}]
"""
