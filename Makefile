# Everything a newcomer needs; `make` alone lists it. Nothing outside .venv and .venv-examples
# (training libraries, which the slow tests make) is touched,
# except that root gets the Debian packages which tests use (see tests/system_tools.py).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
BENCH_ARGS ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: help install demo tour pictures test lint format bench docs constraints clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

install: $(VENV)/.installed  ## .venv with everything pinned in constraints.txt

demo: $(VENV)/.installed  ## the whole path on simulated GPUs: run, summary, HTML report
	$(BIN)/meter demo

tour: $(VENV)/.installed  ## one node, many jobs: shared GPUs, ranks, attach, epochs; adds up at the end
	PYTHONPATH=. $(BIN)/python examples/tour.py

pictures: $(VENV)/.installed  ## docs/pictures: the dashboards, drawn of the tour (needs npm, prometheus, chromium)
	PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=. $(BIN)/python -m grafana.pictures.take

test: $(VENV)/.installed  ## all tests, two files at a time (PYTEST_ARGS="-k ledger" for some)
	$(BIN)/python tests/system_tools.py install
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.installed  ## style, types, the arrows between parts, SQL, generated documents
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint queries
	$(BIN)/python docs/generate.py --check
	$(BIN)/python -m grafana.generate --check

format: $(VENV)/.installed  ## let ruff put everything in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed  ## every figure of docs/benchmarks.md (BENCH_ARGS=--quick for a short look)
	$(BIN)/python benchmarks/run_all.py $(BENCH_ARGS)

docs: $(VENV)/.installed  ## write the generated references and dashboards anew
	$(BIN)/python docs/generate.py
	$(BIN)/python -m grafana.generate

constraints: $(VENV)/.installed  ## resolve all dependencies anew, with hashes and without registry names
	$(BIN)/pip-compile --quiet --upgrade --all-extras --generate-hashes --allow-unsafe --strip-extras \
		--no-header --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file $(VENV)/constraints.txt pyproject.toml
	{ printf '%s\n' '# Every dependency of tunemeter and of its tests, pinned with the hashes of its published files.' \
		'# Made by `make constraints`; names no registry, so any mirror will do.'; \
	  grep -v '^#' $(VENV)/constraints.txt; } > constraints.txt

clean:  ## remove what make has made
	rm -rf $(VENV) .venv-examples dist build meter-demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.made:
	@$(PYTHON) tests/system_tools.py python
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.dependencies: constraints.txt $(VENV)/.made
	$(BIN)/pip install --quiet --require-hashes -r constraints.txt
	@touch $@

$(VENV)/.installed: pyproject.toml meter/__init__.py $(VENV)/.dependencies
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
