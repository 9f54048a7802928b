# Every target works from a fresh clone by itself and passes ARGS on: make test ARGS="unit -k dedupe"
SHELL := bash
.DELETE_ON_ERROR:
.PHONY: demo test check bench stages chaos simulate lock clean
.DEFAULT_GOAL := test

VENV := .venv
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
# The first Python of 3.11 to 3.13 on the PATH; override with PYTHON=...
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && echo $$p && break; done)

demo: $(INSTALLED)  ## a broker, a simulator, the monitor and its alerts, in one terminal
	$(VENV)/bin/monitor demo $(ARGS)

test: $(INSTALLED)  ## check, then every suite, then what was slow, skipped and not reached
	$(RUN) tests/run.py $(ARGS)

check: $(INSTALLED)  ## ruff and mypy; ARGS are paths
	$(VENV)/bin/ruff check $(or $(ARGS),.)
	$(VENV)/bin/ruff format --check $(or $(ARGS),.)
	$(VENV)/bin/mypy $(ARGS)

bench: $(INSTALLED)  ## the race: ours and the peers in turn on one Kafka, equal in job and alerts; two hours
	$(RUN) -m benchmarks.race $(ARGS)

stages: $(INSTALLED)  ## what each stage costs on this machine
	$(RUN) -m benchmarks $(ARGS)

chaos: $(INSTALLED)  ## kill, freeze, starve and cut off two workers and their broker; ARGS="--kills 200 --each 30 ..." for longer
	$(RUN) -m tests.chaos $(ARGS)

simulate: $(INSTALLED)  ## seeded histories of the protocol under crashes, zombies, rebalances
	$(RUN) -m tests.simulation $(ARGS)

# One version of each package for all Pythons: the same numpy computes the same features everywhere.
lock: .cache/uv/bin/uv  ## requirements.lock from pyproject.toml; ARGS=--upgrade takes newer versions
	.cache/uv/bin/uv pip compile --universal --fork-strategy fewest --generate-hashes --no-header --no-annotate --quiet \
		--python-version 3.11 --extra dev $(ARGS) -o requirements.lock pyproject.toml

clean:  ## what the targets above made here; the jars in the user's cache stay
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* dist
	find monitor tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Once, and again when the lock or the project's own metadata change.
$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 on the PATH: install one, or name it with PYTHON=..." >&2; exit 1; }
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	touch $@

.cache/uv/bin/uv:
	$(PYTHON) -m venv .cache/uv
	.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.8
