from dataclasses import dataclass, field

import numpy as np
import pytest


@dataclass
class Table:
    """Cells from Python values: None is unknown; words hash to their numbers in a list."""

    n: int
    values: dict = field(default_factory=dict)
    words: list = field(default_factory=list)

    def __len__(self):
        return self.n

    def number(self, name):
        given = self.values.get(name, [0.0] * self.n)
        return np.array([np.nan if each is None else float(each) for each in given])

    def text(self, name):
        given = self.values.get(name, [None] * self.n)
        return np.array([0 if each is None else self.hash_of(each) for each in given], np.uint64)

    def symbol(self, name):
        from monitor.rules.names import NAMES

        symbols = NAMES[name].symbols
        return np.array([symbols.index(each) for each in self.values.get(name, [symbols[0]] * self.n)])

    def hash_of(self, word):
        if word not in self.words:
            self.words.append(word)
        return np.uint64(self.words.index(word) + 1)


@pytest.fixture
def table():
    """A function: cells of `n` transactions, fields by name."""
    return lambda n, **values: Table(n, values)
