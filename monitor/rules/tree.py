"""Conditions as trees: what a rule says, checked, and not yet worked out. Built by `monitor/rules/syntax.py`, worked out by `monitor/rules/evaluate.py`."""

from collections.abc import Iterator
from dataclasses import dataclass

from monitor.rules.names import Kind


@dataclass(frozen=True, slots=True)
class Node:
    """Part of a tree; equal parts are equal, so that each is worked out once a run."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Constant(Node):
    """A number; money in minor units, time in seconds."""

    value: float


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name of `NAMES`."""

    name: str


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    """`operator`: + - * / least greatest, or abs with one operand."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """`operator`: < <= == != over two numbers of a kind."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Member(Node):
    """A text or symbol is one of `words`; `list_name`: of the list that they are, to which controls may add; "" where the condition spells them out."""

    name: str
    words: tuple[str, ...]
    list_name: str = ""


@dataclass(frozen=True, slots=True)
class Same(Node):
    """Two texts are equal."""

    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Known(Node):
    """The operand is not unknown."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """`operator`: and, or, or not with one operand; over truths."""

    operator: str
    operands: tuple[Node, ...]


def nodes_in(node: Node) -> Iterator[Node]:
    """The tree's parts, itself first."""
    yield node
    match node:
        case Arithmetic(operands=operands) | Logic(operands=operands):
            parts = operands
        case Compare(left=left, right=right):
            parts = (left, right)
        case Known(operand=operand):
            parts = (operand,)
        case _:
            parts = ()
    for part in parts:
        yield from nodes_in(part)


def names_in(node: Node) -> Iterator[str]:
    """Every name of the tree, in its order, with repetitions."""
    for part in nodes_in(node):
        match part:
            case Name(name=name) | Member(name=name):
                yield name
            case Same(left=left, right=right):
                yield from (left, right)
