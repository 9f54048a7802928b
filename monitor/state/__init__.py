"""One fixed-size record an account, held as columns, kept in a changelog."""
