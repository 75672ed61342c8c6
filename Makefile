# Needs Python 3.11 or newer, git and make; everything else goes into .venv. `make help` lists the targets.
# PYTHON=/path/to/python3.12 chooses the interpreter of a new .venv.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?=
PYTEST_ARGUMENTS ?=
BENCH_ARGUMENTS ?=
DEMO_ARGUMENTS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo cluster-tools test lint lint-dockerfile format check bench clean

help:  ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1: \2/p' Makefile

setup: $(READY)  ## .venv with the pinned dependencies and the package; again only when they change

demo: $(READY)  ## the product on this machine: a CA, tenants and gateways, and commands to try
	@$(BIN)/python -m entryproxy demo $(DEMO_ARGUMENTS)

cluster-tools: $(READY)  ## etcd, kube-apiserver, helm … for tests/cluster: built with Go unless they are here
	@$(BIN)/python -m tests.tools

test: $(READY)  ## all tests
	$(BIN)/python -m pytest $(PYTEST_ARGUMENTS)

lint: $(READY)  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-dockerfile: $(READY)  ## hadolint
	@.ci/lint-dockerfile

format: $(READY)  ## rewrite the code the way `make lint` wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint lint-dockerfile test  ## what CI does

bench: $(READY)  ## side by side with nginx, HAProxy, Envoy and aiohttp (BENCH_ARGUMENTS="--quick")
	$(BIN)/python -m bench $(BENCH_ARGUMENTS)

clean:  ## everything that can be made again
	rm -rf $(VENV) build dist bench/results *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last: a setup that was interrupted starts again. A .venv whose interpreter is gone is made anew.
$(READY): requirements-dev.lock pyproject.toml
	@if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  python=$$(PYTHON="$(PYTHON)" .ci/find-python) || exit 1; \
	  echo "$(VENV): $$python"; rm -rf $(VENV); $$python -m venv $(VENV) || exit 1; fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
