# On a fresh machine with Python and make: `make demo` or `make test`.
# Everything is installed into .venv by pip, once.

# What pip installs as torch, before anything else; options may follow, as in
# TORCH='torch==2.13.0 --index-url URL'. A change of it installs torch anew.
TORCH ?= torch==2.13.0
# The Python that makes .venv.
PYTHON ?= python3
# The torch-scatter that `make scatter-test` compiles.
SCATTER ?= torch-scatter==2.1.2
# What `make versions` gives pip besides for torch, as '--index-url URL' of an
# index of CPU builds, and which rows it runs, also again (default: the missing).
TORCH_FROM ?=
ROWS ?=
# How many processes run tests, file by file: fixtures of a file are made once.
WORKERS ?= 2
# How many random cases `make fuzz` runs, and which ones.
N ?= 10000
# Which commands `make kills` kills.
COMMANDS ?= prepare fit predict
SEED ?= 1

VENV := .venv
SCATTER_VENV := .venv-scatter
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check
STAMPS := $(VENV)/.stamps
SPREAD := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test test-processes kills fuzz mutants lint docs tutorials scatter-test versions bench bench-gpu real-files clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s%s\n", $$1, $$2}' Makefile
	@echo
	@echo "  variables: TORCH ($(TORCH)), PYTHON ($(PYTHON)), WORKERS, N, SEED,"
	@echo "  TORCH_FROM, ROWS"

demo: $(STAMPS)/base ## train on the bundled dataset; tables and pictures in results/demo
	$(RUN) -m pyg_multipose.demo

test: $(STAMPS)/base ## run the tests
	$(RUN) -m pytest $(SPREAD) -m 'not processes'

test-processes: $(STAMPS)/base ## run the tests of several processes, and of killed ones (two minutes)
	$(RUN) -m pytest $(SPREAD) -m processes

kills: $(STAMPS)/base ## kill COMMANDS at 100 random moments each; do they end as if they had not been? (half an hour)
	for command in $(COMMANDS); do \
		$(RUN) -m tests.kills --command $$command --count 100 || exit 1; \
	done

fuzz: $(STAMPS)/base ## run N random cases against plain autograd, those of SEED
	$(RUN) -m tests.random_cases --cases $(N) --seed $(SEED)

mutants: $(STAMPS)/base ## make small faults one by one; which of them does no test notice? (half an hour)
	$(RUN) -m tests.mutants

lint: $(STAMPS)/base ## check style, formatting, types and docstrings
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	$(RUN) -m flake8 pyg_multipose

docs: $(STAMPS)/docs ## build the site into docs/_build/html; warnings are errors
	$(RUN) -m sphinx -E -W --keep-going -q -b html docs docs/_build/html
	@echo "the site: docs/_build/html/index.html"

tutorials: $(STAMPS)/tutorials ## execute the notebooks; the results in build/tutorials
	$(RUN) tutorials/execute.py build/tutorials

scatter-test: $(STAMPS)/base ## run the combination and parity tests with torch-scatter (compiles it once)
	.ci/scatter-env $(VENV) $(SCATTER_VENV) '$(SCATTER)'
	[ -e $(SCATTER_VENV)/unused ] || \
		$(SCATTER_VENV)/bin/python -m pytest $(SPREAD) tests/nn/combination \
		tests/contracts --ignore tests/contracts/silent

versions: $(STAMPS)/base ## run the contract suite over versions of torch, PyG and Lightning (an hour, network)
	$(RUN) -m benchmarks.versions --source='$(TORCH_FROM)' --workers $(WORKERS) $(ROWS)

bench: $(STAMPS)/base ## time and memory beside every rival, about an hour on an idle core
	$(RUN) -m benchmarks

bench-gpu: $(STAMPS)/base ## the same on a GPU
	$(RUN) -m benchmarks --device cuda

real-files: $(STAMPS)/base ## read the files inside of pinned packages beside RDKit, Meeko and gemmi (two minutes, network)
	$(RUN) -m benchmarks.real_files

clean: ## remove what was built, and caches
	rm -rf build dist docs/_build docs/tutorials results
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find pyg_multipose tests docs tutorials -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## also remove the environments
	rm -rf $(VENV) $(SCATTER_VENV)

# A stamp is written last: an install that was interrupted is taken up again.
# The stamp of torch holds the value of TORCH that it was installed for.
ifneq ($(TORCH),$(shell cat $(STAMPS)/torch 2>/dev/null))
.PHONY: $(STAMPS)/torch
endif

$(STAMPS)/torch:
	$(RUN) -c '' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) --version >/dev/null 2>&1 || $(RUN) -m ensurepip
	if [ -e $@ ]; then $(PIP) uninstall --yes torch; fi
	rm -rf $(STAMPS)
	printf '%s\n' '$(TORCH)' | xargs $(PIP) install
	mkdir -p $(STAMPS)
	printf '%s\n' '$(TORCH)' > $@

$(STAMPS)/base: $(STAMPS)/torch pyproject.toml
	$(PIP) install --editable '.[dev,io,train,viz]'
	touch $@

$(STAMPS)/docs: $(STAMPS)/base
	$(PIP) install --editable '.[docs]'
	touch $@

$(STAMPS)/tutorials: $(STAMPS)/base
	$(PIP) install --editable '.[tutorials]'
	touch $@
