# Two commands matter: `make run` and `make test`. Each sets up what it needs, and only when something changed.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
SHELL := /bin/sh

# The first interpreter that is new enough; `make PYTHON=/path/to/python3.12 run` names another.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)

BIN := .venv/bin
UV := VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv
INSTALL := $(UV) pip install --quiet --require-hashes
PLUGINS := $(wildcard plugins/*/pyproject.toml)
OPENID := tests/peers/oidc_provider
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	--no-annotate $(if $(UPGRADE),--upgrade)
CATALOGS := lti_server/translations

.PHONY: help setup run test check fix types docs lock translations conformance bench-launch bench-signin bench-oracle bench-keys mutants-launch mutants-grants revocation kill9 clean

help: ## Show what can be asked for
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## Prepare .venv with everything the server needs (pinned, with hashes)

run: .venv/.ready ## Set up and open the demo: server, worker, a demo LMS with two districts, on 127.0.0.1:8000
	@$(BIN)/lti-server demo

test: .venv/.ready-test .venv-openedx/.ready $(OPENID)/node_modules/.ready ## Set up and run all tests; REQUIRE_ALL=1 makes a skip a failure; ARGS="…" goes to pytest
	@REQUIRE_ALL=$(REQUIRE_ALL) $(BIN)/python -m pytest $(ARGS)

check: .venv/.ready-check ## Format, lint, types, layers, translations and documentation, all as errors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/translations.py check
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

fix: .venv/.ready-check ## Put right what ruff can put right by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: .venv/.ready-check ## mypy --strict alone
	$(BIN)/mypy

docs: .venv/.ready-check ## Build the documentation into docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

translations: .venv/.ready-check ## Bring the catalogues up to date with the code and compile them
	$(BIN)/python tools/translations.py update

conformance: .venv/.ready-test ## The certification cases of LTI Advantage by name, against each vendor's LMS in turn
	$(BIN)/python -m tests.conformance $(ARGS)

bench-launch: .venv/.ready-test ## Launches a second beside a stock PyLTI1p3 tool and a bare floor
	$(BIN)/python -m tests.benchmarks.launch $(ARGS)

bench-signin: .venv/.ready-test ## Sign-ins a second with 10,000 people, beside a bare Authlib client at the same provider
	$(BIN)/python -m tests.benchmarks.signin $(ARGS)

bench-oracle: .venv/.ready-test ## Whether the time of an answer says whose an address is, side by side, with a rank statistic (BENCH_PAIRS=500)
	$(BIN)/python -m tests.benchmarks.oracle $(ARGS)

mutants-launch: .venv/.ready-test ## Take away each check of the launch in turn; a test must notice
	$(BIN)/python -m tests.benchmarks.mutants_launch $(ARGS)

bench-keys: .venv/.ready-test ## Key rotation on both sides, and platforms whose keys hang or are gone, in figures
	$(BIN)/python -m tests.benchmarks.keys $(ARGS)

mutants-grants: .venv/.ready-test ## Take away the fence, the epoch predicate, the token wipe in turn; a test must notice
	$(BIN)/python -m tests.benchmarks.mutants_grants $(ARGS)

revocation: .venv/.ready-test ## Revoke under processes that are stopped and killed (HISTORIES=1000); count what came afterwards
	$(BIN)/python -m tests.benchmarks.revocation

kill9: .venv/.ready-test ## Kill worker and server at random points between progress and gradebook; count lost scores
	$(BIN)/python -m tests.benchmarks.kill9 $(ARGS)

lock: .venv/.bootstrap ## Pin the dependencies of pyproject.toml anew; UPGRADE=1 takes the newest
	$(LOCK) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(LOCK) pyproject.toml -o requirements/runtime.txt
	$(LOCK) pyproject.toml --group test -c requirements/runtime.txt -o requirements/test.txt
	$(LOCK) pyproject.toml --group test --group check --group docs -c requirements/test.txt -o requirements/check.txt
	$(LOCK) --group openedx -o requirements/openedx.txt

clean: ## Remove what setup, tests and the demo made (.venv, .venv-openedx, var, caches)
	rm -rf .venv .venv-openedx var docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# --- stamps: a step runs again only when what it read has changed ---

.venv/.bootstrap: requirements/bootstrap.txt
	@if [ -z "$(PYTHON)" ]; then \
		echo "This needs Python 3.11 or newer, and none was found as python3, python3.13, python3.12 or python3.11." >&2; \
		echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
		exit 1; fi
	@if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$(PYTHON) has no venv module. Debian, Ubuntu: apt-get install python3-venv" >&2; exit 1; fi
	@echo "Preparing .venv ($$($(PYTHON) --version))"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

.venv/.ready: .venv/.bootstrap requirements/runtime.txt pyproject.toml $(PLUGINS)
	@$(INSTALL) -r requirements/runtime.txt
	@$(UV) pip install --quiet --no-deps --no-build-isolation -e . $(foreach plugin,$(PLUGINS),-e ./$(dir $(plugin)))
	@touch $@

.venv/.ready-test: .venv/.ready requirements/test.txt
	@$(INSTALL) -r requirements/test.txt
	@touch $@

.venv/.ready-check: .venv/.ready-test requirements/check.txt
	@$(INSTALL) -r requirements/check.txt
	@touch $@

# A certified OpenID provider, a peer for the tests. Without npm its tests are left out, and REQUIRE_ALL=1 fails.
$(OPENID)/node_modules/.ready: $(OPENID)/package-lock.json
	@if command -v npm >/dev/null; then \
		echo "Preparing $(OPENID) (a certified OpenID provider, a peer for the tests)"; \
		cd $(OPENID) && npm ci --ignore-scripts --no-audit --no-fund --silent && touch node_modules/.ready; fi

# Open edX's platform classes pull in a whole Django of their own, so they live apart and run as another process.
.venv-openedx/.ready: .venv/.bootstrap requirements/openedx.txt
	@echo "Preparing .venv-openedx (Open edX's LTI platform, a peer for the tests)"
	@test -x .venv-openedx/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-openedx
	@VIRTUAL_ENV=$(CURDIR)/.venv-openedx $(BIN)/uv pip install --quiet --require-hashes -r requirements/openedx.txt
	@touch $@
