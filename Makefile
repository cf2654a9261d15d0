# What one does with vpgen. `make demo` and `make test` need nothing but Python 3.11 or newer.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STORY  ?= 해질녘 바닷가를 걷는 여자, 카메라가 천천히 다가간다
# Neural finishing is what one would show somebody; `CONFIG=animatic` is done in a third of the time.
CONFIG ?= neural-cpu

# Trust what this machine trusts (company proxies), as pip does.
export UV_SYSTEM_CERTS := true

.DEFAULT_GOAL := help
.PHONY: help setup demo ui up down lab test check format bench docs clean

help: ## Say what the targets do
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# uv installs the same wheels as pip, many times faster; it lives in the virtual environment only.
$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "vpgen needs Python 3.11 or newer, and '$(PYTHON)' is not. Install it (Debian, Ubuntu:"; \
	  echo "apt install python3 python3-venv; macOS: brew install python) or name yours: make PYTHON=python3.12 ..."; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --upgrade pip uv

$(VENV)/.local: $(BIN)/uv pyproject.toml
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[local]'
	@touch $@

$(VENV)/.develop: $(VENV)/.local
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[local,s3,notebooks]' --group test --group check
	@touch $@

setup: $(VENV)/.develop ## A virtual environment with everything a developer needs

demo: $(VENV)/.local ## A finished clip from one sentence: make demo STORY="..."
	$(BIN)/vpgen make "$(STORY)" --config $(CONFIG)

ui: $(VENV)/.local ## Start the Prefect and MLflow pages and say where they are
	$(BIN)/vpgen ui

up: $(VENV)/.local ## Start production: Prefect, MLflow, work pools, deployments, workers
	$(BIN)/vpgen up

down: $(VENV)/.local ## Stop what `make up` started
	$(BIN)/vpgen down

lab: $(VENV)/.develop ## Open JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks

test: $(VENV)/.develop ## Run the tests
	$(BIN)/pytest -n auto

check: $(VENV)/.develop ## Lint, format and strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.develop ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.develop ## Measure speed against the peers, as ratios from one run
	$(BIN)/uv pip install --quiet --python $(BIN)/python --group bench
	$(BIN)/python -m benchmarks

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
