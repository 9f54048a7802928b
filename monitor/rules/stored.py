"""Versions of rules on disk: `rules/<version>/`, a sealed directory of `rules.toml` and `rules.test.toml`, if it has tests, and `rules/current`, which names the one served."""

from pathlib import Path

from monitor.errors import ArtifactError, RulesError
from monitor.rules.cases import failures, run_cases
from monitor.rules.rule_file import read_rules
from monitor.rules.ruleset import Engine, RuleSet
from monitor.sealed import checked_name, open_sealed, write_sealed
from monitor.versions import CURRENT, current_version

RULES, TESTS = "rules.toml", "rules.test.toml"
MAX_BYTES = 4 << 20


def load_rules(rules_dir: Path, version: str = CURRENT) -> RuleSet:
    """The rules `version` of `rules_dir`. Raises `ArtifactError`, and `RulesError` for what this release does not understand."""
    if version == CURRENT:
        version = current_version(rules_dir)
    path = rules_dir / checked_name(version) / RULES
    sealed = open_sealed(path.parent)
    rules = read_rules(decoded(sealed.read(RULES, MAX_BYTES), path), path, sealed.seal)
    try:
        Engine(rules, hash_of=lambda text: len(text.encode()))
    except (ValueError, IndexError, TypeError) as error:
        raise RulesError(f"{path}: cannot be made ready: {error}; write it otherwise") from None
    if rules.version != version:
        raise ArtifactError(f"{path}: version {rules.version!r} in the directory {version!r}; rename it")
    return rules


def load_tested(rules_dir: Path, version: str = CURRENT) -> RuleSet:
    """The same, once its tests have passed: what may be promoted. Raises `RulesError` also for the tests that failed."""
    rules = load_rules(rules_dir, version)
    path = rules_dir / rules.version / TESTS
    sealed = open_sealed(path.parent)
    if TESTS in sealed.digests:
        failed = failures(run_cases(decoded(sealed.read(TESTS, MAX_BYTES), path), path, rules))
        if failed:
            raise RulesError(f"{path}: {failed}; correct the rule or the test, and publish another version")
    return rules


def publish(rules_dir: Path, path: Path) -> RuleSet:
    """Make the file, and its tests if they lie beside it, a version of `rules_dir`, by the name that it gives itself.

    Raises `RulesError` for what is wrong with either, and `ArtifactError` when that version exists.
    """
    rules, contents = read_rules(decoded(read_file(path), path), path), {RULES: read_file(path)}
    tests = tests_of(path)
    if tests.exists():
        contents[TESTS] = read_file(tests)
        failed = failures(run_cases(decoded(contents[TESTS], tests), tests, rules))
        if failed:
            raise RulesError(f"{tests}: {failed}; correct the rule or the test")
    write_sealed(rules_dir / checked_name(rules.version, "rules: version"), contents)
    return rules


def tests_of(path: Path) -> Path:
    """Where the tests of a file of rules are: `rules.test.toml` beside `rules.toml`."""
    return path.with_name(f"{path.stem}.test.toml")


def read_file(path: Path) -> bytes:
    """The bytes of a file of rules. Raises `RulesError`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RulesError(f"{path}: {error.strerror}; name a file of rules") from None
    if len(content) > MAX_BYTES:
        raise RulesError(f"{path}: {len(content)} bytes; at most {MAX_BYTES}: make two files of it")
    return content


def decoded(content: bytes, path: Path) -> str:
    """Its text. Raises `RulesError` for what is not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise RulesError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
