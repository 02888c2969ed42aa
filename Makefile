# The targets are the CI jobs. Needs make, git and CPython 3.11 or newer; everything else goes into .venv.
# Another interpreter: `make PYTHON=/path/to/python3.13 test`. More for pytest: `make test ARGS="-k cassette -x"`.

PYTHON ?=
ARGS   ?=
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
SHELL  := /bin/sh
PIP    := $(BIN)/python -m pip --disable-pip-version-check

export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# Tests and benchmarks start thousands of processes: without bytecode each of them compiles all of this (0.1 s).
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup versions demo pages screenshots docs test torture plugin8 release pythons fuzz bench eval check lint types mypy pyright layers cover format clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 20

setup: $(STAMP) ## make .venv with everything in it

# A name that exists may still not run (version managers leave such shims), so each candidate is tried.
$(STAMP): pyproject.toml constraints.txt
	@usable='import ensurepip, sys, venv; sys.exit(sys.implementation.name != "cpython" or sys.version_info < (3, 11))'; \
	if ! $(BIN)/python -c "$$usable" 2>/dev/null; then \
	  found=; \
	  for candidate in $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python); do \
	    if $$candidate -c "$$usable" 2>/dev/null; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "CPython 3.11 or newer with its venv module is needed; $(if $(PYTHON),$(PYTHON) is not that,none was found)." >&2; \
	    echo "Here python3 is: $$(python3 --version 2>&1 || true)" >&2; \
	    echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python;" >&2; \
	    echo "anywhere: python.org/downloads), or name it: make PYTHON=/path/to/python3.12 test" >&2; \
	    exit 1; \
	  fi; \
	  echo "$(VENV) with $$found"; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@echo "installing into $(VENV) (a minute, once)"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,frameworks,sdks]'
	@touch $@

versions: $(STAMP) ## constraints.txt anew, from what is installed
	@{ head -2 constraints.txt; $(PIP) freeze --exclude-editable; } > constraints.new && mv constraints.new constraints.txt

demo: $(STAMP) ## the whole story in one command, offline
	@$(BIN)/replay demo

pages: $(STAMP) ## README and docs with what their commands print now; ARGS=docs/tutorial.md for one
	@$(BIN)/python -m tests.docs.walkthrough $(ARGS)

screenshots: $(STAMP) ## the pictures of pages in docs/pictures, in the machine's Chromium
	@$(BIN)/python -m tests.docs.screenshots $(ARGS)

docs: $(STAMP) ## the site, into build/site (the tests build it, too)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet && echo "build/site/index.html"

test: $(STAMP) ## all tests except torture
	@$(BIN)/python -m pytest -n 2 $(ARGS)

torture: $(STAMP) ## the tests that take minutes
	@$(BIN)/python -m pytest -m torture $(ARGS)

# Its peer for spans is not a dependency of anything else, so it is installed when first needed.
$(VENV)/.bench: $(STAMP)
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev,frameworks,sdks,bench]'
	@touch $@

# Only pytest itself is another one: it lies in front of the environment's.
PYTEST8 := $(VENV)/pytest8
plugin8: $(STAMP) ## the tests of the pytest plugin on pytest 8
	@test -d $(PYTEST8) || $(PIP) install --quiet --no-deps --target $(PYTEST8) 'pytest>=8.4,<9'
	@PYTHONPATH=$(PYTEST8) $(BIN)/python -m pytest -n 2 tests/pytest_plugin tests/testing $(ARGS)

# What it checks with is installed when first needed.
$(VENV)/.release: $(STAMP)
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[release]'
	@touch $@

# Each in an environment of its own, `.venv-3.12`. Those of pyenv are looked for, too.
PYTHONS := 3.11 3.12 3.13 3.14
BASE := tests/model tests/cassette tests/matching tests/player tests/recorder tests/runtime tests/boundary \
  tests/e2e/test_identity.py
pythons: ## the tests of the base on each CPython from 3.11 to 3.14 that is here
	@for version in $(PYTHONS); do \
	  found=; \
	  for candidate in python$$version $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python; do \
	    if $$candidate -c 'import ensurepip, venv' 2>/dev/null; then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then said="$$said, $$version isn't here"; continue; fi; \
	  if $(MAKE) --no-print-directory VENV=.venv-$$version PYTHON=$$found ARGS="$(BASE) -p no:cacheprovider" test; \
	  then said="$$said, $$version passed"; else said="$$said, $$version failed"; failed=1; fi; \
	done; echo "CPython: $${said#, }"; exit $${failed:-0}

release: $(VENV)/.release ## a release tried dry: built, checked, installed into an empty environment, its licences
	@$(BIN)/python -m release

fuzz: $(STAMP) ## ten minutes of altered cassettes and files to import, for everything that reads them
	@$(BIN)/python -m tests.fuzz.fuzzing $(ARGS)

bench: $(VENV)/.bench ## every performance promise, measured beside its floor and its peer
	@$(BIN)/python -m benchmarks $(ARGS)

eval: $(STAMP) ## what why and triage get right on published runs; REPLAY_EVAL_DATA=DIR for more than the sample
	@$(BIN)/python -m evals $(ARGS)

check: lint types layers cover ## everything static, and the coverage gate

lint: $(STAMP) ## ruff: rules and formatting
	@$(BIN)/ruff format --check --quiet; formatted=$$?; $(BIN)/ruff check && exit $$formatted

types: mypy pyright ## mypy and pyright, both strict

mypy: $(STAMP)
	@$(BIN)/mypy

pyright: $(STAMP)
	@$(BIN)/pyright

layers: $(STAMP) ## who may import whom
	@$(BIN)/lint-imports

# Own tests of the pure core only: a line that is reached by accident from an end-to-end test is not covered.
CORE := model cassette matching player
# remote.py asks servers: tests/e2e/test_remote.py tries it against one.
cover: $(STAMP) ## full branch coverage of the pure core by its own tests
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest -q $(wildcard $(CORE:%=tests/%))
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --fail-under=100 --omit='replay/cassette/remote.py' \
	  --include='replay/model/*,replay/cassette/*,replay/matching/*,replay/player/tape.py,replay/player/divergence.py'

format: $(STAMP) ## put the formatting right
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean: ## remove everything that make made
	rm -rf $(VENV) build dist htmlcov .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis \
	  .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
