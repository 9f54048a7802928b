"""The text of a condition as Python's own parser sees it: a tree that is looked at, and never run."""

import ast
import io
import tokenize
import warnings

MAX_CHARACTERS = 4_000


class ExpressionError(ValueError):
    """What is wrong at `line` (1 is the first) and `column` (0 is the first) of the text, and what to write instead."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line, self.column = line, column


def python_tree(text: str) -> ast.expr:
    """As Python reads it, inside parentheses of ours, so that it may go over several lines. Raises `ExpressionError`."""
    if not text.strip() or len(text) > MAX_CHARACTERS:
        raise ExpressionError(
            f"{len(text)} characters; it takes 1 to {MAX_CHARACTERS}: make two rules of a long one", 1, 0
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Python's, about what is refused here anyway
            tree = ast.parse(f"({text}\n)", mode="eval").body
    except SyntaxError as error:
        lines = text.split("\n")
        line, column = error.lineno or 1, (error.offset or 1) - 1
        if line > len(lines):
            line, column = len(lines), len(lines[-1]) + (len(lines) == 1)
        raise ExpressionError(f"not an expression: {error.msg}", line, max(column - (line == 1), 0)) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise ExpressionError(f"not an expression: {error}", 1, 0) from None
    if (tree.lineno, tree.col_offset) == (1, 0):
        raise ExpressionError("not an expression: a parenthesis too many", 1, 0)
    return tree


def characters(text: str, line: int, octets: int) -> int:
    """Python counts columns in octets of UTF-8, people in characters."""
    return len(text.split("\n")[line - 1].encode()[:octets].decode(errors="ignore"))


def literals(text: str, tree: ast.Constant) -> int:
    """How many literals in `text` a constant was made of: Python joins those that stand side by side."""
    segment = ast.get_source_segment(f"({text}\n)", tree) or ""
    tokens = tokenize.generate_tokens(io.StringIO(segment).readline)
    return sum(token.type == tokenize.STRING for token in tokens)
