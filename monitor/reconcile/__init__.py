"""The checker: what an installation wrote, held against its input and against the input decided anew."""
