# Two commands do everything on a fresh machine: make run, make test. Python 3.11 or newer is all they need.
# `make run` installs what the command line needs, `make notebooks` also [lab], everything else also [dev].
PYTHON ?= python3
SURVEY ?= surveys/guizhou-2026q3
SEEDS ?= 20
REPEATS ?= 5
PEER ?= .venv-bench/bin/python
BIN := .venv/bin

.PHONY: run test quick words api docs docs-pages pictures lint notebooks coverage bench bench-big bench-responses fuzz attack cluster clean

run: .venv/ready
	$(BIN)/satisfaction run $(SURVEY)

# A file of tests stays on one worker: what its tests share is computed once. In the order of the folders: by the number of
# their tests, long files of few tests would come last, and one worker would wait for the other.
test: .venv/ready-dev
	$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

# Under a minute on two cores: references, identities, boundaries, refusals and one small run.
QUICK := whole/boundaries whole/docs_pages whole/glossary whole/identities whole/reference foundation/catalogue foundation/errors \
  sampling/measures sampling/tally sampling/variance weighting/weights estimation/comparisons_wald estimation/estimates \
  estimation/estimates_carried estimation/estimates_df estimation/index ranking/ranking ranking/ranking_golden \
  notebook/showing publication/published
quick: .venv/ready-dev
	$(BIN)/pytest -q -n 2 --dist loadfile $(foreach page,$(QUICK),tests/$(subst /,/test_,$(page)).py)

notebooks: .venv/ready-lab
	$(BIN)/satisfaction run --notebooks $(SURVEY)

# New messages into the Chinese catalogue, and the catalogue compiled.
words: .venv/ready-dev
	$(BIN)/python -m tests.catalogue

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# docs/api.md from the docstrings, docs/errors.md from the messages in the code
docs-pages: .venv/ready-dev
	$(BIN)/python docs/make_api.py
	$(BIN)/python docs/make_errors.py

api: docs-pages

# Guides and reference pages as a site in build/site, which needs no network.
docs: .venv/ready-docs
	$(BIN)/mkdocs build --quiet
	@echo build/site/index.html

# The pictures of the guides, drawn anew from the shipped wave.
pictures: .venv/ready
	$(BIN)/python docs/make_pictures.py

coverage: .venv/ready-dev
	$(BIN)/python -m tests.coverage_study --seeds $(SEEDS)

bench: .venv/ready-dev $(if $(PEER),.venv-bench/ready)
	$(BIN)/python tests/benchmarks/bench.py $(if $(PEER),--peer $(PEER)) $(if $(ROWS),--rows $(ROWS)) --repeats $(REPEATS)

# The one pass on polls of up to 100 million simulated rows (6 GB of disk), and what 100,000 field responses cost to read.
bench-big: .venv/ready-dev
	$(BIN)/python tests/benchmarks/big.py --folder build/big --rows $(or $(ROWS),1000000 10000000 100000000) --repeats $(REPEATS)

bench-responses: .venv/ready-dev
	$(BIN)/python tests/benchmarks/responses.py --rows $(or $(ROWS),100000) --repeats $(REPEATS)

# uv where it is there, pip otherwise. What is compiled at the first import need not be compiled while installing.
UV := $(shell command -v uv 2>/dev/null)
MAKE_VENV = $(if $(UV),uv venv --quiet --allow-existing --python $(PYTHON),$(PYTHON) -m venv)
INSTALL = $(if $(UV),uv pip install --quiet --python $(1)/bin/python,$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile) -c constraints.txt

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo '需要 Python 3.11 或更新版本: make run PYTHON=python3.11   Python 3.11 or newer is needed.' >&2; exit 1; }
	$(MAKE_VENV) .venv

.venv/ready: pyproject.toml setup.py constraints.txt | .venv/bin/python
	$(call INSTALL,.venv) -e .
	@touch $@

.venv/ready-lab: .venv/ready
	$(call INSTALL,.venv) -e '.[lab]'
	@touch $@

.venv/ready-docs: .venv/ready
	$(call INSTALL,.venv) -e '.[docs]'
	@touch $@

.venv/ready-dev: pyproject.toml setup.py constraints.txt | .venv/bin/python
	$(call INSTALL,.venv) -e '.[dev]'
	@touch .venv/ready .venv/ready-lab $@

# The peer that benchmarks run beside brings libraries of its own: apart, so that tests never lean on them.
.venv-bench/ready: pyproject.toml constraints.txt
	$(MAKE_VENV) .venv-bench
	$(call INSTALL,.venv-bench) -e '.[dev,bench]'
	@touch $@

# Random damage in thousands of files; a small number runs in `make test`.
fuzz: .venv/ready-dev
	SATISFACTION_FUZZ=$(or $(FUZZ),3000) $(BIN)/pytest -q -n auto tests/collection/test_responses_fuzz.py tests/collection/test_platforms.py tests/foundation/test_io_delimited.py

# Kills every command that writes, at file operations and at random moments; six of them run in `make test`.
attack: .venv/ready-dev
	$(BIN)/python -m tests.attack.kills --kills $(or $(KILLS),100)

# A standalone Spark cluster of two workers on this machine: the same tally, estimates, ranks and weights as DuckDB.
cluster: .venv/ready-dev
	bash tests/cluster/run.sh $(or $(ROWS),1000000)

clean:
	rm -rf .venv .venv-bench build src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
