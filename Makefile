# Fairsplit. `make` or `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
EVENTS ?=
export TZ := UTC
export DAGSTER_DISABLE_TELEMETRY := yes
export DO_NOT_TRACK := 1

INSTALLED := .venv/.installed

$(INSTALLED): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing the locked environment into .venv/ (minutes when nothing is downloaded yet) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# flagd's own provider, which some tests load, needs a protobuf that dbt-core refuses (docs/decisions/0021).
FLAGD := .venv-flagd/.installed

$(FLAGD): requirements-flagd.lock
	@if $(PYTHON) -m venv .venv-flagd && .venv-flagd/bin/pip install --quiet --disable-pip-version-check \
	  --require-hashes -r $<; then touch $@; else rm -rf .venv-flagd; echo "no flagd provider: its tests will skip"; fi

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(INSTALLED) ## Create .venv/ from the lock

.PHONY: run
run: $(INSTALLED) ## Materialise every outstanding day (demo world, or EVENTS=path) and publish the site
	@$(BIN)/fairsplit run $(if $(EVENTS),--events "$(EVENTS)",--demo)

# A worker that has nothing left takes over tests of the other; homes that both need are built once (tests/built.py).
.PHONY: test
test: $(INSTALLED) $(FLAGD) ## Run all tests but the slowest (under 15 minutes)
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal

.PHONY: test-all
test-all: $(INSTALLED) $(FLAGD) ## Run every test, the slow ones too
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not spark"

# pyspark is half a gigabyte that only these tests need.
SPARK := .venv/.spark

$(SPARK): requirements-spark.lock $(INSTALLED)
	@if $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --require-hashes -r $<; then \
	  touch $@; else echo "no pyspark: its tests will skip"; fi

.PHONY: test-spark
test-spark: $(INSTALLED) $(SPARK) ## Build tables on a Spark master and two workers of this machine, beside one home (needs Java 17)
	@$(BIN)/python -m pytest -q -n 0 -m spark tests/integration/spark

.PHONY: ui
ui: $(INSTALLED) ## Open the Dagster UI on http://127.0.0.1:3000
	@$(BIN)/fairsplit ui

.PHONY: check
check: $(INSTALLED) ## Lint, types, SQL style, definitions: what continuous integration checks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint dbt_project --processes 2
	@$(BIN)/fairsplit validate
	@$(BIN)/fairsplit check-definitions

.PHONY: docs
docs: $(INSTALLED) ## Build the documentation as a site into build/docs; a dead link fails
	@$(BIN)/mkdocs build --quiet

.PHONY: format
format: $(INSTALLED) ## Rewrite Python and SQL in the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix dbt_project --processes 2

LOCKED := --quiet --no-strip-extras --allow-unsafe --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header

.PHONY: lock
lock: $(INSTALLED) ## Resolve the dependencies anew into requirements.lock and those of flagd and Spark
	@$(BIN)/pip install --quiet pip-tools
	@$(BIN)/pip-compile $(LOCKED) --extra postgresql --extra sqlite --extra delta --extra iceberg \
	  --extra docs --extra dev -o requirements.lock pyproject.toml
	@echo openfeature-provider-flagd | $(BIN)/pip-compile $(LOCKED) -o requirements-flagd.lock -
	@echo "pyspark>=4.1.4,<4.2" | $(BIN)/pip-compile $(LOCKED) -o requirements-spark.lock -

.PHONY: bench
bench: $(INSTALLED) ## Speed and memory of the pipeline at 1 and 10 million events (15 minutes at most)
	@$(BIN)/python -m benchmarks.bench_pipeline

.PHONY: bench-full
bench-full: $(INSTALLED) ## 50 million events, 1,000 experiments with 10 million exposures: full build under 6 minutes and 8 GiB
	@$(BIN)/python -m benchmarks.bench_pipeline --full

.PHONY: bench-peers
bench-peers: $(INSTALLED) ## One more day and a full build beside a platform that queries raw events an experiment at a time (minutes)
	@$(BIN)/python -m benchmarks.bench_peers

.PHONY: bench-stats
bench-stats: $(INSTALLED) ## Speed and memory of 200,000 comparisons, beside gbstats and tea-tasting
	@$(BIN)/python -m benchmarks.bench_stats

.PHONY: bench-waits
bench-waits: $(INSTALLED) ## How long an A/A certification and the analysis of a file take
	@$(BIN)/python -m benchmarks.bench_waits

.PHONY: error-rates
error-rates: $(INSTALLED) ## How often each plan is wrong, and its power: writes docs/error-rates.md (about an hour; goes on from build/error-rates)
	@$(BIN)/python -m benchmarks.error_rates

.PHONY: bench-bandits
bench-bandits: $(INSTALLED) ## Speed of 2,000 bandits over 28 daily batches, with their regret and coverage
	@$(BIN)/python -m benchmarks.bench_bandits

.PHONY: bench-assign
bench-assign: $(INSTALLED) ## Speed and size of assignment in SQL, in Python and in the SDKs
	@$(BIN)/python -m benchmarks.bench_assign

.PHONY: bench-site
bench-site: $(INSTALLED) ## Speed and size of 1,000 published scorecards
	@$(BIN)/python -m benchmarks.bench_site

.PHONY: clean
clean: ## Remove what a run made in this folder (not .venv/)
	@rm -rf .fairsplit dbt_project/target dbt_project/logs
