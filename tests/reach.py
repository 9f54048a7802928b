"""Which modules of monitor/ no test has reached: `reach.py coverage.json` prints them and exits 1 if there is one.

Importing a module runs its `def` lines, so that counts for nothing: reached means that a line inside one of its functions
ran. The bodies of numba's kernels are compiled, and no tracer sees them; a module of nothing but kernels, types or tables
counts as reached when it was imported.
"""

import ast
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def body_lines(source: str) -> set[int]:
    """The lines inside functions that Python itself runs."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_compiled(node):
            for statement in (each for each in node.body if not _is_literal(each)):
                lines.update(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
    return lines


def _is_compiled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Decorated by numba, or by what monitor/jit.py makes of it."""
    return any(re.search(r"\b(njit|kernel|inlined|piece)\b", ast.unparse(each)) for each in function.decorator_list)


def _is_literal(statement: ast.stmt) -> bool:
    """A docstring, or the three dots of a protocol."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def unreached(files: dict[str, list[int]]) -> list[str]:
    """Modules, as paths from the root, of which no test ran a line that counts. `files`: executed lines of each."""
    missing = []
    for path in sorted((ROOT / "monitor").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        executed = set(files.get(name, []))
        bodies = body_lines(path.read_text())
        has_code = any(not _is_literal(statement) for statement in ast.parse(path.read_text()).body)
        if has_code and not (executed & bodies if bodies else executed):
            missing.append(name)
    return missing


if __name__ == "__main__":
    report = json.loads(Path(sys.argv[1]).read_text())
    names = unreached({str(Path(name)): file["executed_lines"] for name, file in report["files"].items()})
    for each in names:
        print(f"{each}: no test runs a line of its functions; test it, or remove it")
    print(
        f"reach: {len(report['files'])} modules, {len(names)} not reached; {report['totals']['percent_covered']:.0f}% of lines ran where a tracer sees them"
    )
    sys.exit(bool(names))
