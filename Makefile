# make demo | pack | test | lint | format | golden | bench | clean. Each sets up .venv by itself when pyproject.toml is newer than it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo pack test lint format golden bench clean

demo: $(READY)  ## Roll the pack out to a tenant inside the process, and show what its machines answer.
	$(BIN)/avma-pack demo

pack: $(READY)  ## Build packages, policies and manifest into dist/.
	$(BIN)/avma-pack build

test: $(READY)  ## Run every test.
	$(BIN)/python -m pytest -n auto

lint: $(READY)  ## Style, types, import order, workflow files.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

format: $(READY)  ## Rewrite sources in the project's style.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

golden: $(READY)  ## Regenerate the README's tables, package hashes and sample policies.
	$(BIN)/python tests/generated.py

bench: $(READY)  ## Time whole commands against their floors.
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/rules.py
	$(BIN)/python benchmarks/tenant.py

clean:  ## Remove everything that make has made.
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
