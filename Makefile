# Two commands matter: `make lab` opens the tour, `make test` runs every test. Both do all the set-up.
# They need python3 (3.11 or later) with venv, git and make. node and a browser are fetched where they are missing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SHOTS  := build/screenshots

# Tools of the environment come first; a node of the environment before an older one of the system.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help setup lab test all check format unit web notebooks libraries journeys browser golden fuzz protocol \
        bench extension link hooks clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up: idempotent, each part redone only where its inputs changed ------------------------------

setup: $(VENV)/.stamp-install extension link  ## environment, packages, extension

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or later is needed; name one with make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || \
	    { echo "Python's venv is incomplete; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# uv installs faster and is used where there is one; pip is the documented way and does the same.
# The build hook is off: an editable install gets the extension by `link`.
$(VENV)/.stamp-install: $(VENV)/.stamp-venv pyproject.toml constraints.txt hatch_build.py
	@if command -v uv >/dev/null 2>&1; then pip="uv pip --quiet"; else pip="$(BIN)/python -m pip --quiet"; fi; \
	needed="$$($(BIN)/python tools/extension.py requirements)"; \
	echo "Installing workbench into $(VENV)"; set -f; \
	HATCH_BUILD_NO_HOOKS=true VIRTUAL_ENV="$(CURDIR)/$(VENV)" \
	    $$pip install -c constraints.txt -e '.[demo,test,dev]' $$needed
	@touch $@

extension: $(VENV)/.stamp-install  ## build the JupyterLab extension, where something changed
	@$(BIN)/python tools/extension.py build

link: extension  # JupyterLab reads the build in place: a build and a reload show a change
	@$(BIN)/python tools/extension.py link

browser:
	@tools/install_browser.sh

# --- use ------------------------------------------------------------------------------------------------

lab: setup  ## open the tour in JupyterLab
	@$(BIN)/python tools/open_lab.py

# --- checks ---------------------------------------------------------------------------------------------

test: setup browser check unit web notebooks journeys  ## everything: checks, pytest, vitest, notebooks, browser

all: test  ## the same

check: setup  ## format, ruff, layers, pyright, protocol, tsc, eslint
	ruff format --check .
	ruff check .
	lint-imports --no-logo
	pyright
	$(BIN)/python tools/generate_protocol.py --check
	$(BIN)/python tools/extension.py npm run --silent typecheck
	$(BIN)/python tools/extension.py npm run --silent lint

unit: setup  ## the Python tests that need neither notebook nor browser
	pytest -n auto --ignore=tests/notebooks --ignore=tests/ui

web: setup  ## the TypeScript tests
	$(BIN)/python tools/extension.py npm test --silent

libraries: setup  ## install oneDNN and torch (large), and run the tests that need them
	@if command -v uv >/dev/null 2>&1; then pip="uv pip --quiet"; else pip="$(BIN)/python -m pip --quiet"; fi; \
	HATCH_BUILD_NO_HOOKS=true VIRTUAL_ENV="$(CURDIR)/$(VENV)" \
	    $$pip install -c constraints.txt -e '.[onednn,torch]'
	pytest -n auto tests/ops/test_libraries.py tests/passes tests/runtime/test_dlpack.py tests/notebooks

notebooks: setup  ## run every notebook
	pytest tests/notebooks

journeys: setup browser  ## a person's way through the product, in a real browser
	pytest tests/ui
	@echo "Screenshots are in $(SHOTS)"

# --- makers ---------------------------------------------------------------------------------------------

format: setup  ## rewrite the source as the formatter and the simple fixes of ruff want it
	ruff check --fix .
	ruff format .

fuzz: setup  ## random schedules and passes against the interpreter: make fuzz COUNT=100000 MODULES=20000
	$(BIN)/python tools/fuzz.py $(or $(COUNT),100000) --modules $(or $(MODULES),20000)

golden: setup  ## rewrite the golden files; then read the difference
	pytest tests -k golden --update-golden --ignore=tests/notebooks --ignore=tests/ui
	git --no-pager diff --stat -- tests/golden

protocol: setup  ## view dataclasses -> TypeScript types
	$(BIN)/python tools/generate_protocol.py

bench: setup  ## measure against onnxruntime; gates nothing
	$(BIN)/python -m benchmarks

hooks: setup  ## run the quick checks before each commit
	pre-commit install

clean:  ## remove what make made, the environment included
	rm -rf $(VENV) build workbench/labextension extensions/node_modules extensions/*/lib
