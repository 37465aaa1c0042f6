# Two commands on a fresh machine: `make demo` and `make test`. Each sets up all it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# --- environment ------------------------------------------------------------------------------------------------

# The stamp appears only when the environment is complete, so an interrupted set-up is done again.
.venv/.complete: pyproject.toml
	@rm -f $@
	@if command -v uv >/dev/null; then uv venv --quiet --allow-existing .venv && uv pip install --quiet --python .venv --group dev --editable .; \
	else python3 -m venv .venv && .venv/bin/pip install --quiet --upgrade pip && .venv/bin/pip install --quiet --group dev --editable .; fi
	@touch $@

.PHONY: venv
venv: .venv/.complete ## make the Python environment in .venv

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
