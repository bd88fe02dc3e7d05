# Two commands matter: `make demo` shows the program at work, `make test` proves it.
# Both set up a virtual environment in .venv from nothing first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

TRAIN := .venv-train

.PHONY: test-train demo test check lint types contracts unit format setup clean bench

$(STAMP): pyproject.toml
	@echo "setting up $(VENV) (core and test tools; no model, no torch)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say PYTHON=/path/to/python3.11 make ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

setup: $(STAMP)

demo: $(STAMP)
	@$(BIN)/python examples/demo/run.py

test: $(STAMP) lint types contracts unit

check: test

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

contracts: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/python -m pytest -n 3

# Local checkpoints and embeddings need torch: an environment of its own, so that `make test` stays
# light.
$(TRAIN)/.installed: pyproject.toml
	@test -x $(TRAIN)/bin/python || $(PYTHON) -m venv $(TRAIN)
	@$(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev,train,embed]' 'torch==2.13.0'
	@touch $@

test-train: $(TRAIN)/.installed
	@OMP_NUM_THREADS=1 $(TRAIN)/bin/python -m pytest tests/llm/transports/test_hf.py tests/llm/test_embedding.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(TRAIN) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
