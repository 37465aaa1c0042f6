# Two commands on a fresh machine: `make demo` and `make test`. Each sets up all it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# --- environment ------------------------------------------------------------------------------------------------

# The stamp appears only when the environment is complete, so an interrupted set-up is done again.
.venv/.complete: requirements.lock pyproject.toml
	@rm -f $@
	@echo "making .venv (about a minute the first time)"
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing .venv && uv pip sync --quiet --python .venv --require-hashes requirements.lock && uv pip install --quiet --python .venv --no-deps --editable .; \
	else \
	  python3 -m venv .venv && .venv/bin/pip install --quiet --require-hashes --requirement requirements.lock && .venv/bin/pip install --quiet --no-deps --editable .; \
	fi
	@touch $@

.PHONY: venv
venv: .venv/.complete ## make the Python environment in .venv

.PHONY: lock
lock: ## write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --group dev pyproject.toml --output-file requirements.lock

# --- checks -----------------------------------------------------------------------------------------------------

.PHONY: lint
lint: venv ## style, types, dependencies between packages
	@echo "ruff, mypy, import-linter"
	@.venv/bin/ruff check --quiet && .venv/bin/ruff format --quiet --check && .venv/bin/mypy && .venv/bin/lint-imports --no-cache | tail -3

.PHONY: test
test: lint setup ## everything: style, types, unit tests, tests on a real API server
	@exec .venv/bin/pytest

.PHONY: test-unit
test-unit: venv ## tests that need no cluster
	@exec .venv/bin/pytest -m "not cluster" --ignore=tests/local --ignore=tests/cluster

.PHONY: performance
performance: setup ## measure a storm of 200 Rollouts (docs/performance.md)
	@exec .venv/bin/python -m tests.performance.storm --rollouts 200

.PHONY: figures
figures: venv ## write the figures of docs/statistics.md anew (a quarter of an hour)
	@exec .venv/bin/python -m tests.performance.simulation --write

.PHONY: performance-analysis
performance-analysis: setup ## measure 2000 AnalysisRuns in one controller (docs/performance.md)
	@GOGC=400 exec .venv/bin/python -m tests.performance.measurements --runs 2000

.PHONY: performance-gitops
performance-gitops: setup ## measure 500 GitSyncs in one controller, then one of 5,000 objects (docs/performance.md)
	@.venv/bin/python -m tests.performance.syncs --poll
	@exec .venv/bin/python -m tests.performance.syncs --objects 5000

.PHONY: catalog
catalog: venv ## generate the ready-made analysis templates from their tables
	@exec .venv/bin/python -m analysis.catalog.generate

.PHONY: crds
crds: venv ## generate crds/ from the models
	@exec .venv/bin/python -m rollouts.api.generate

# --- see it -----------------------------------------------------------------------------------------------------

.PHONY: demo
demo: venv ## releases from Git, good and bad, on a local control plane; under 3 minutes once set up
	@exec .venv/bin/python -m deploy.local.demo

# --- the local control plane ------------------------------------------------------------------------------------

.PHONY: setup
setup: venv ## find or build the control plane's programs (about 20 minutes the first time)
	@exec .venv/bin/python -m deploy.local setup

.PHONY: cluster
cluster: venv ## keep a local control plane up until Ctrl-C
	@exec .venv/bin/python -m deploy.local cluster

# ----------------------------------------------------------------------------------------------------------------

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: clean
clean: ## remove what was made here; the cache of built programs stays
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build
