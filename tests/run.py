"""`make test`: the checks, then each suite in a pytest run of its own (some beside the unit tests), then the gate, then one table of times, skips and unreached modules.

tests/run.py [PART ...] [pytest options]     parts: check unit contract simulation integration chaos docs gate; none: all
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".cache" / "test"
SUITES = ("unit", "contract", "simulation", "integration", "chaos", "docs")
PARTS = ("check", *SUITES, "gate")
BESIDE = ("contract", "simulation", "docs")
"""Run one after the other while `unit` runs, where there is a second processor: none of them measures time, and none starts a broker beside another."""
BUDGET_S = 39 * 60  # the whole run is held to 40 minutes: what has not ended by then is ended, and has failed
NO_TESTS = 5  # pytest's exit status when it collected nothing
GATE_SKIPPED = 77  # the gate's, when there is nothing to measure on


@dataclass
class Part:
    """One part of the run and what came of it."""

    name: str
    seconds: float = 0.0
    verdict: str = "ok"
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skips: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        return self.verdict in ("ok", "no tests yet", "skipped")


def main() -> int:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART")
    options, for_pytest = parser.parse_known_args()
    # What pytest shall have may hold bare words too (-k dedupe): only names of parts are ours.
    wanted = [name for name in options.parts if name in PARTS]
    for_pytest = (
        [word for word in sys.argv[1:] if word not in wanted] if for_pytest or len(wanted) < len(options.parts) else []
    )
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    began = time.monotonic()
    parts = run_parts(wanted or list(PARTS), for_pytest, began + BUDGET_S)
    if not wanted and not for_pytest:
        parts.append(reach())
    report(parts, time.monotonic() - began)
    return 0 if all(part.ok for part in parts) else 1


def run_parts(names: list[str], for_pytest: list[str], until_s: float) -> list[Part]:
    """All of them, in their order; the table tells of them in that order too."""
    together = set(PARTS) <= set(names) and (os.cpu_count() or 1) > 1
    done: dict[str, Part] = {}
    with ThreadPoolExecutor(1) as lane:
        waiting: list[Future[Part]] = []
        for name in names:
            if together and name in BESIDE:
                continue
            if together and name == "unit":
                waiting = [lane.submit(run_part, each, for_pytest, until_s, aside=True) for each in BESIDE]
            done[name] = run_part(name, for_pytest, until_s)
            for each, future in zip(BESIDE, waiting, strict=False):
                done[each] = future.result()
                print(
                    f"\n=== {each}, beside unit ===\n{(WORK / f'{each}.log').read_text(errors='replace')}", flush=True
                )
            waiting = []
    return [done[name] for name in names]


def run_part(name: str, for_pytest: list[str], until_s: float, *, aside: bool = False) -> Part:
    """Run one part, its output going where ours goes, or aside into a file, and end it when the budget is spent."""
    output = (WORK / f"{name}.log").open("wb") if aside else None
    if not aside:
        print(f"\n=== {name} ===", flush=True)
    part = Part(name)
    if name in SUITES and not any((ROOT / "tests" / name).rglob("test_*.py")):
        part.verdict = "no tests yet"
        return part
    began = time.monotonic()
    process = subprocess.Popen(
        command_of(name, for_pytest),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
    try:
        status = process.wait(max(until_s - time.monotonic(), 1.0))
    except subprocess.TimeoutExpired:
        process.terminate()  # pytest's fixtures get to stop their servers; the servers' leashes see to the rest
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        status, part.verdict = 1, f"ENDED: {BUDGET_S // 60} min for the whole run are over"
    except KeyboardInterrupt:
        process.wait()
        raise
    part.seconds = time.monotonic() - began
    if name in SUITES:
        read_results(part)
    if part.verdict == "ok" and status == NO_TESTS and name in SUITES:
        part.verdict = "no tests yet"
    elif status == GATE_SKIPPED and name == "gate":
        part.verdict = "skipped"
    elif part.verdict == "ok" and status:
        part.verdict = f"FAILED (exit {status})"
    return part


def command_of(name: str, for_pytest: list[str]) -> list[str]:
    if name == "check":
        return ["make", "--no-print-directory", "check"]
    if name == "gate":
        return [sys.executable, "-m", "benchmarks.gate"]
    return pytest_command(name, for_pytest)


def pytest_command(name: str, for_pytest: list[str]) -> list[str]:
    """A suite under coverage, and so are the processes it starts (`patch` in pyproject.toml)."""
    return [
        sys.executable, "-m", "coverage", "run", "-m", "pytest", f"tests/{name}", "-m", "not long",
        f"--junitxml={WORK / f'{name}.xml'}", *for_pytest,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """Ours, without what make passes to sub-makes: the ARGS of `make test` are not those of `make check`."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "ARGS")
    }
    mine["COVERAGE_FILE"] = str(WORK / "coverage")
    if sys.version_info >= (3, 12):
        mine.setdefault("COVERAGE_CORE", "sysmon")
    return mine


def read_results(part: Part) -> None:
    """Counts and reasons from pytest's own report; without one the run ended before it could write it."""
    path = WORK / f"{part.name}.xml"
    if not path.exists():
        part.verdict = "FAILED (pytest wrote no report)" if part.verdict == "ok" else part.verdict
        return
    for case in ET.parse(path).iter("testcase"):
        skipped = case.find("skipped")
        if case.find("error") is not None:
            part.errors += 1
        elif case.find("failure") is not None:
            part.failed += 1
        elif skipped is not None:
            part.skips[skipped.get("message", "no reason given")] += 1
        else:
            part.passed += 1


def reach() -> Part:
    """Every module of monitor/ must be reached by a test: see tests/reach.py."""
    print("\n=== reach ===", flush=True)
    began = time.monotonic()
    coverage = [sys.executable, "-m", "coverage"]
    done = subprocess.run([*coverage, "combine", "--quiet", str(WORK)], cwd=ROOT, env=environment(), check=False)
    if not done.returncode:
        command = [*coverage, "json", "--quiet", "-o", str(WORK / "coverage.json")]
        done = subprocess.run(command, cwd=ROOT, env=environment(), check=False)
    if not done.returncode:
        done = subprocess.run([sys.executable, "tests/reach.py", str(WORK / "coverage.json")], cwd=ROOT, check=False)
    return Part(
        "reach", time.monotonic() - began, "ok" if not done.returncode else "FAILED: modules no test reaches, above"
    )


def report(parts: list[Part], seconds: float) -> None:
    """The table, what was skipped and why, and a last line in pytest's own form."""
    print(f"\n{'part':<13}{'time':>9}{'passed':>9}{'failed':>9}{'skipped':>9}   result")
    for part in parts:
        counts = (part.passed, part.failed + part.errors, part.skips.total()) if part.name in SUITES else ("", "", "")
        print(
            f"{part.name:<13}{part.seconds:>7.1f} s" + "".join(f"{count:>9}" for count in counts) + f"   {part.verdict}"
        )
    for part in parts:
        if part.verdict == "no tests yet":
            print(f"!!! NO TESTS YET in tests/{part.name}: nothing there was shown to work")
        if part.verdict == "skipped":
            print(f"!!! SKIPPED {part.name}: it says above why; nothing was measured")
        for reason, count in sorted(part.skips.items()):
            print(f"!!! SKIPPED in {part.name}, {count} test{'s' * (count > 1)}: {reason}")
    broken = [part.name for part in parts if not part.ok]
    print(f"make test: {'FAILED: ' + ', '.join(broken) if broken else 'ok'}")
    totals = {
        "failed": sum(part.failed for part in parts),
        "passed": sum(part.passed for part in parts),
        "skipped": sum(part.skips.total() for part in parts),
        "errors": sum(part.errors for part in parts),
    }
    line = ", ".join(f"{count} {word}" for word, count in totals.items() if count) or "no tests ran"
    print(f"===== {line} in {seconds:.2f}s =====", flush=True)


if __name__ == "__main__":
    sys.exit(main())
