"""What a reader may rely on everywhere: short modules and functions, imports in one direction, no notes to self.

The table of layers is the design in the form of a test. Stages know `errors`, `clock` and the types they exchange; only
`pipeline` joins stages; only the worker (`app` and its parts) joins the pipeline and what talks to the outside.
"""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "monitor").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

MOST_MODULE_LINES = 300
MOST_FUNCTION_LINES = 50
LONG_MODULES: dict[str, str] = {}  # path: why it is longer
LONG_FUNCTIONS: dict[str, str] = {}  # path::function: why it is longer

# Types, constants and plain formulas: whoever needs one imports it; they import nothing but each other.
SHARED = {
    "monitor",
    "monitor.errors",
    "monitor.clock",
    "monitor.jit",
    "monitor.kernel_cache",
    "monitor.resources",
    "monitor.stages",
    "monitor.failpoints",
    "monitor.arrays_file",
    "monitor.keys",
    "monitor.line_file",
    "monitor.sealed",
    "monitor.versions",
    "monitor.wire.records",
    "monitor.wire.columns",
    "monitor.wire.framing",
    "monitor.wire.hashing",
    "monitor.wire.our_records",
    "monitor.guard.reasons",
    "monitor.state.layout",
    "monitor.state.dispositions",
    "monitor.features.catalogue",
    "monitor.features.readable",
    "monitor.effects.message",
    "monitor.controls.controls",
}
SETTINGS = {
    "monitor.settings",
    "monitor.settings_model",
    "monitor.settings_artifacts",
    "monitor.settings_rails",
    "monitor.settings_topics",
}
STAGES = {f"monitor.{name}" for name in ("wire", "guard", "money", "state", "features", "scoring", "decide", "effects")}
WORKER = {
    f"monitor.{name}"
    for name in (
        "app",
        "host",
        "partition",
        "takeover",
        "candidate",
        "deciding",
        "lookout",
        "controls_lookout",
        "rail_lookout",
        "reporting",
        "served_vectors",
        "shadow_rules",
        "shedding",
        "sideline",
        "warm_up",
        "pipeline",
    )
}
EVERYTHING = {"monitor"}

# Package or module: what it may import beside itself and SHARED. The longest name that fits a module counts.
LAYERS: dict[str, set[str]] = {
    # the stages: none knows another, but for amounts, which are converted while they are admitted
    "monitor.wire": SETTINGS,
    "monitor.guard": {"monitor.money"},
    "monitor.money": set(),
    "monitor.features": set(),
    "monitor.state": set(),
    "monitor.scoring": set(),
    "monitor.decide": set(),
    "monitor.effects": set(),
    # what joins them, pure
    "monitor.context": STAGES | {"monitor.risk", "monitor.rules", "monitor.rails.walled"},
    "monitor.withholding": {"monitor.decide", "monitor.rails.walled", "monitor.rules", "monitor.state"},
    "monitor.alerting": {
        "monitor.decide",
        "monitor.effects",
        "monitor.rules",
        "monitor.scoring",
        "monitor.withholding",
    },
    "monitor.effects_of_run": STAGES | {"monitor.rules", "monitor.alerting", "monitor.context", "monitor.withholding"},
    "monitor.pipeline": STAGES
    | {"monitor.risk", "monitor.rules", "monitor.context", "monitor.effects_of_run", "monitor.withholding"},
    "monitor.controls": {"monitor.decide.policy", "monitor.registry.approvals", "monitor.wire"} | SETTINGS,
    "monitor.warm_up": STAGES | {"monitor.context", "monitor.pipeline", "monitor.risk", "monitor.rules"},
    # the worker: what joins the pipeline and the outside. `app` is its root, the others are its parts
    "monitor.takeover": {"monitor.wire", "monitor.effects", "monitor.state.accounts"},
    "monitor.chunk_queue": {"monitor.wire.transport"},
    "monitor.cutting": set(),
    "monitor.lone_call": set(),
    "monitor.shedding": set(),
    "monitor.sideline": {"monitor.context", "monitor.pipeline"},
    "monitor.candidate": {"monitor.context", "monitor.sideline", "monitor.risk", "monitor.rules"} | STAGES,
    "monitor.served_vectors": {"monitor.sideline"},
    "monitor.shadow_rules": {"monitor.sideline", "monitor.rules", "monitor.decide"},
    "monitor.reporting": {"monitor.effects", "monitor.observe", "monitor.rules", "monitor.sideline", "monitor.wire"},
    "monitor.partition": {
        "monitor.reporting",
        "monitor.context",
        "monitor.sideline",
        "monitor.shedding",
        "monitor.chunk_queue",
        "monitor.cutting",
        "monitor.pipeline",
        "monitor.takeover",
        "monitor.wire",
        "monitor.observe",
    }
    | {"monitor.effects", "monitor.rails", "monitor.rules", "monitor.state.accounts"},
    "monitor.quarantine": {"monitor.takeover", "monitor.wire", "monitor.effects"},
    "monitor.host": {"monitor.partition"} | SETTINGS,
    "monitor.artifacts": {"monitor.registry", "monitor.risk", "monitor.rules", "monitor.scoring"} | SETTINGS,
    "monitor.deciding": {
        "monitor.alerting",
        "monitor.artifacts",
        "monitor.context",
        "monitor.candidate",
        "monitor.controls.controls",
        "monitor.pipeline",
        "monitor.rails",
        "monitor.rules",
        "monitor.served_vectors",
        "monitor.shadow_rules",
    }
    | STAGES
    | SETTINGS,
    "monitor.lookout": {
        "monitor.artifacts",
        "monitor.deciding",
        "monitor.lone_call",
        "monitor.partition",
        "monitor.observe",
    }
    | SETTINGS,
    "monitor.controls_lookout": {
        "monitor.controls.policy",
        "monitor.controls.topic",
        "monitor.wire.topics",
        "monitor.deciding",
        "monitor.lone_call",
        "monitor.lookout",
        "monitor.observe",
        "monitor.partition",
    }
    | SETTINGS,
    "monitor.rail_lookout": {
        "monitor.decide",
        "monitor.lone_call",
        "monitor.lookout",
        "monitor.observe",
        "monitor.partition",
        "monitor.rails",
    }
    | SETTINGS,
    "monitor.app": WORKER
    | STAGES
    | SETTINGS
    | {"monitor.artifacts", "monitor.controls", "monitor.observe", "monitor.rails"},
    # beside the worker
    "monitor.settings": SETTINGS,
    "monitor.settings_model": {"monitor.wire.start"} | SETTINGS,
    "monitor.settings_artifacts": set(),
    "monitor.settings_rails": set(),
    "monitor.settings_topics": set(),
    "monitor.rails": {"monitor.decide.policy"},
    "monitor.observe": SETTINGS,
    "monitor.embedded": set(),
    "monitor.simulate": {"monitor.wire", "monitor.money"} | SETTINGS,
    "monitor.risk": {"monitor.state.key_index"},
    "monitor.rules": {"monitor.decide.policy"},
    "monitor.registry": {"monitor.scoring.artifact"},
    "monitor.learn": STAGES
    | {
        "monitor.observe.drift",
        "monitor.risk",
        "monitor.rules",
        "monitor.context",
        "monitor.pipeline",
        "monitor.simulate",
    }
    | SETTINGS,
    "monitor.reconcile": {
        "monitor.alerting",
        "monitor.rails.walled",
        "monitor.artifacts",
        "monitor.audit",
        "monitor.controls",
        "monitor.pipeline",
        "monitor.rails",
        "monitor.risk",
        "monitor.rules",
        "monitor.deciding",
        "monitor.served_vectors",
    }
    | STAGES
    | SETTINGS,
    "monitor.audit": {"monitor.effects", "monitor.wire"} | SETTINGS,
    "monitor.demo": {"monitor.embedded", "monitor.simulate", "monitor.wire", "monitor.effects", "monitor.money"}
    | SETTINGS,
    # the edge
    "monitor.commands": EVERYTHING,
    "monitor.cli": EVERYTHING,
    "monitor.__main__": EVERYTHING,
}

# What reads or writes outside the process: no stage and not the pipeline may use it.
OUTSIDE = {"faust", "aiokafka", "confluent_kafka", "httpx", "aiohttp", "mode", "socket", "subprocess", "click", "rich"}
PURE = ("monitor.pipeline", "monitor.guard", "monitor.money", "monitor.features", "monitor.scoring", "monitor.decide")

MAY_PRINT = ("monitor/commands/", "monitor/cli.py", "monitor/__main__.py")
FORBIDDEN_MODULES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base", "core"}
UNSAFE = {"pickle", "joblib", "cloudpickle", "dill", "shelve", "marshal"}


def name_of(path: Path) -> str:
    """`monitor/wire/decode.py` -> `monitor.wire.decode`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


KNOWN = {name_of(path) for path in MODULES}


def imports_of(tree: ast.AST) -> set[str]:
    """Modules imported anywhere in a file, also inside functions; `from a import b` counts as a.b where that is a module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            module = node.module or ""
            found.update(
                f"{module}.{alias.name}" if f"{module}.{alias.name}" in KNOWN else module for alias in node.names
            )
    return found


def within(module: str, allowed: set[str]) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in allowed)


def layer_of(module: str) -> str | None:
    fitting = [each for each in LAYERS if within(module, {each})]
    return max(fitting, key=len) if fitting else None


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, which may be as long as it must."""
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1 if docstring else 0)


def tracked() -> list[Path]:
    """Text files under version control."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout: which files are tracked is unknown")
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_layer_allows(path):
    module = name_of(path)
    ours = {each for each in imports_of(ast.parse(path.read_text())) if within(each, {"monitor"})} - {module}
    if module in SHARED:
        assert not ours - SHARED, f"{module} is shared by all stages and may import only what is shared too"
        return
    layer = layer_of(module)
    assert layer is not None, f"{module}: give it a line in LAYERS, or put it where its name says"
    allowed = LAYERS[layer] | {layer}
    wrong = sorted(
        each for each in ours - SHARED if "monitor" not in allowed and not within(each, allowed - {"monitor"})
    )
    assert not wrong, (
        f"{module} must not import {', '.join(wrong)}: only pipeline joins stages, only the worker joins it and I/O"
    )


@pytest.mark.parametrize("path", [path for path in MODULES if within(name_of(path), set(PURE))], ids=name_of)
def test_a_stage_does_no_input_or_output(path):
    outside = {each.split(".")[0] for each in imports_of(ast.parse(path.read_text()))} & OUTSIDE
    assert not outside, f"{name_of(path)} is pure: {', '.join(sorted(outside))} belongs to wire, effects or app"


def test_every_layer_in_the_table_exists():
    assert {each for each in LAYERS if each not in KNOWN} == set()


def test_modules_are_short():
    long = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    long = {path: lines for path, lines in long.items() if lines > MOST_MODULE_LINES and path not in LONG_MODULES}
    assert not long, f"longer than {MOST_MODULE_LINES} lines, so two things in one room: {long}"


def test_functions_are_short():
    long = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) > MOST_FUNCTION_LINES:
                long[f"{path.relative_to(ROOT)}::{node.name}"] = code_lines(node)
    long = {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS}
    assert not long, f"longer than {MOST_FUNCTION_LINES} lines without the docstring: {long}"


def test_no_module_has_a_name_that_says_nothing():
    nameless = [str(path.relative_to(ROOT)) for path in MODULES if FORBIDDEN_MODULES & {path.stem, path.parent.name}]
    assert not nameless, f"a file is named for the one thing it holds: {nameless}"


def test_nothing_is_printed_outside_the_commands():
    printing = []
    for path in MODULES:
        name = str(path.relative_to(ROOT))
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        if not name.startswith(MAY_PRINT) and any(isinstance(c.func, ast.Name) and c.func.id == "print" for c in calls):
            printing.append(name)
    assert not printing, f"log, count or return it: {printing}"


def test_no_code_that_could_run_code_from_a_file_is_imported():
    unsafe = {}
    for path in MODULES:
        found = {each.split(".")[0] for each in imports_of(ast.parse(path.read_text()))} & UNSAFE
        if found:
            unsafe[str(path.relative_to(ROOT))] = sorted(found)
    assert not unsafe, f"a model or a record must not be able to run code: {unsafe}"


def test_every_test_has_a_sentence_for_a_name():
    terse = []
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text())):
            is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            if is_test and len(node.name.removeprefix("test_").split("_")) < 3:
                terse.append(f"{path.relative_to(ROOT)}::{node.name}")
    assert not terse, f"say what holds: {terse}"


def test_a_note_to_self_names_its_issue():
    note = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b(?!\(#\d+\))")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if note.search(line) and path != Path(__file__)
    ]
    assert not found, f"mend it, or open an issue and name it as (#123): {found}"


def test_nothing_tracked_names_one_machine_or_one_registry():
    """Registries are found by each machine's own configuration: a mirror must do as well."""
    directories = ["/" + "work/", "/" + "root/", "/" + "tmp/boot", re.escape(f"{Path.home()}/"), re.escape(f"{ROOT}/")]
    hosts = [
        "py" + r"pi\.org",
        "python" + r"hosted\.org",
        "repo1?" + r"\.maven",
        "registry" + r"\.npmjs",
        "proxy" + r"\.golang",
    ]
    named = re.compile("|".join([*(rf"(?<![\w.]){each}" for each in directories), *hosts]))
    found = [
        f"{path.relative_to(ROOT)}:{number}: {hit.group()}"
        for path in tracked()
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if (hit := named.search(line))
    ]
    assert not found, f"this works on one machine only: {found}"
