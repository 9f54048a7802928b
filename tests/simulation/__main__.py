"""Deterministic simulation: `make simulate ARGS="--histories N --seed S"`. What is simulated: docs/testing.md.

A history runs the pipeline and the classes that carry the protocol (`Takeover`, `Partition`, `Partitions`, the transport's consumer) on a log,
a producer, a group and a clock in memory. Its seed decides everything: a violation is seen again with `--histories 1 --seed ITS-SEED`.
"""

import argparse
import sys
import time

from tests.simulation.campaign import Campaign, campaign

TELL_EVERY_S = 30.0


def main() -> int:
    """0 when there was no violation, and every point and fault was met."""
    parser = argparse.ArgumentParser(prog="make simulate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--histories", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first; each history has the next (default 1)")
    parser.add_argument("--jobs", type=int, default=None, help="processes (default: one a core)")
    options = parser.parse_args()
    began = time.monotonic()
    done = campaign(options.seed, options.histories, options.jobs, _Teller(options.histories).tell)
    seconds = time.monotonic() - began
    print("\n".join(done.tally.lines()))
    missing = done.tally.missing()
    for each in missing:
        print(f"never met: {each}; run more histories")
    print(f"{done.histories / seconds:.0f} histories a second")
    print(f"{done.histories} histories, {len(done.violations)} violations")
    return 1 if done.violations or missing else 0


class _Teller:
    """Says each violation at once, and how far it is now and then."""

    def __init__(self, histories: int) -> None:
        self._histories, self._done, self._violations = histories, 0, 0
        self._told_s = time.monotonic()

    def tell(self, part: Campaign) -> None:
        for seed, problems in part.violations.items():
            for problem in problems:
                print(f"seed {seed}: {problem}", flush=True)
        self._done += part.histories
        self._violations += len(part.violations)
        if time.monotonic() - self._told_s > TELL_EVERY_S:
            self._told_s = time.monotonic()
            print(f"{self._done} of {self._histories} so far, {self._violations} violations", flush=True)


if __name__ == "__main__":
    sys.exit(main())
