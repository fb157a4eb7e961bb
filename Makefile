# Two commands: `make demo` and `make test`. Each makes the environment it needs, once.
# The environment lies in .venv; another Python: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST_OPTIONS ?=

.PHONY: help demo test notebooks docs lint format bench build clean

help:
	@echo "make demo       train on handwritten digits, check the gradients, draw the graph"
	@echo "make test       all tests, with coverage"
	@echo "make notebooks  run the course's notebooks anew"
	@echo "make docs       the documentation, into docs/_build/html"
	@echo "make lint       ruff, mypy, import contracts; oxlint for the explorer's scripts"
	@echo "make format     let ruff format the code"
	@echo "make bench      speed and memory beside PyTorch, HIPS autograd, MyGrad, micrograd"
	@echo "make build      a wheel and a source archive in dist/"
	@echo "make clean      remove the environment and everything made"

demo: $(VENV)/.examples
	@$(BIN)/python -m autodiff demo

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto -m "not slow" --cov --cov-report=term --cov-fail-under=95 $(PYTEST_OPTIONS)
	$(BIN)/python -m pytest -n auto -m slow $(PYTEST_OPTIONS)

notebooks: $(VENV)/.notebooks
	$(BIN)/python -m pytest -n 2 --nbmake --nbmake-timeout=300 notebooks

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going docs docs/_build/html
	$(BIN)/python docs/links.py docs/_build/html

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@mkdir -p build
	cat autodiff/draw/explorer/*.js tests/draw/explorer_layouts.js > build/explorer.js
	$(BIN)/oxlint --no-ignore --format=unix build/explorer.js

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

build: $(VENV)/.dev
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) build dist out docs/_build docs/_made docs/reference docs/notebooks .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage

# One stamp for each extra: installed once, and again only when pyproject.toml changes.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("autodiff needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.%: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
