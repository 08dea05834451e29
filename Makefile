# `make` lists the targets. Each one first makes what it needs; the machine brings git, make and a Python >= 3.12
# (any Python >= 3.9 starts the search for it).

PYTHON ?= python3
BIN := .venv/bin
PROJECTS := $(addsuffix /pyproject.toml,sdk core services/api services/worker plugins/hello-world plugins/inventory)
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup lock lint format hooks test bounds demo up images plugins-lock test-browser test-schema test-integration escape test-chart cluster-test chart-docs bench-hooks bench-jobs bench-startup bench-api bench-bulk bench-console mutate trace bench-sizes bench-fences chaos zoo restore-drill docs docs-serve openapi client messages screenshots clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(INSTALLED) ## Make .venv: locked packages, and Pagoda's distributions from their folders

$(INSTALLED): requirements/dev.txt requirements/uv.txt $(PROJECTS) .python-version tools/bootstrap.py
	@$(PYTHON) tools/bootstrap.py

lock: ## Write requirements/*.txt from the .in and pyproject.toml files (ARGS=--upgrade takes new versions)
	@$(PYTHON) tools/bootstrap.py environment
	@$(BIN)/python tools/lock.py $(ARGS)

lint: setup client ## Check style, types, import arrows, spelling and locks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell
	$(BIN)/python tools/lock.py --check

format: setup ## Mend style where a tool can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: setup ## Run the checks before every commit from now on
	$(BIN)/pre-commit install

test: setup ## Run the tests that need no container (ARGS="core -k name" for some, FAST=1 the quick, SLOW=1 the slow ones)
	@$(BIN)/python -m tools.run_tests $(if $(FAST),--fast)$(if $(SLOW),--slow) $(ARGS)

bounds: setup ## Run the tests that count what a promise of the documentation bounds: statements, calls, rows
	@$(BIN)/python -m tools.run_tests core api worker -m bounds

demo: setup client ## Start everything on free ports, scan this machine, show what was found, stop
	@$(BIN)/python tools/demo.py $(ARGS)

up: setup ## Serve the API on 8000 and Flower on 5555 with all workers, until ctrl-c
	@$(BIN)/python tools/up.py $(ARGS)

images: setup ## Build the images pagoda-api and pagoda-worker (ARGS="--plugins ... --ranges ...")
	@$(BIN)/python tools/images.py $(ARGS)

plugins-lock: setup ## Pin what PLUGINS="acme==1.2 plugins/mine" need beyond the host, for the images
	@$(BIN)/python tools/plugins_lock.py $(PLUGINS)

test-browser: setup ## Walk through the console with Debian's Chromium, on a running host with workers (ARGS for pytest)
	@$(BIN)/python -m tools.run_tests browser $(ARGS)

test-schema: setup ## Ask a running host out of its OpenAPI schema, with all checks of schemathesis (ARGS for pytest)
	@$(BIN)/python -m tools.run_tests schema $(ARGS)

test-integration: setup ## Test the images on real servers, with Docker (SMOKE=1 for the short part, ARGS for pytest)
	@$(BIN)/python -m tools.integration $(if $(SMOKE),--smoke) $(ARGS)

escape: setup ## Have a plugin try to reach what is not its own, in containers, and print what held each attempt
	@CI=true $(BIN)/python -m tools.integration --only test_escape $(ARGS)

test-chart: setup ## Render, validate and test the Helm chart, without a cluster
	@$(BIN)/python -m tools.run_tests chart

cluster-test: setup ## Install, upgrade, break, kill, roll back and drain a release on the kubeconfig's cluster (ARGS=--help)
	@$(BIN)/python -m tools.chart.cluster $(ARGS)

chart-docs: setup ## Write the chart's README and schema from its values and the settings
	@$(BIN)/python -m tools.chart.docs $(ARGS)

bench-hooks: setup ## Time hook dispatch against a bare loop
	@$(BIN)/python benchmarks/bench_hooks.py $(ARGS)

bench-jobs: setup ## Time jobs from request to done
	@$(BIN)/python benchmarks/bench_jobs.py $(ARGS)

bench-startup: setup ## Time what a plugin adds to start-up
	@$(BIN)/python benchmarks/bench_startup.py $(ARGS)

bench-api: setup ## Measure what reading and writing an entry costs beside a plain DRF view over a flat table
	@$(BIN)/python benchmarks/bench_api.py $(or $(ARGS),--entries 100000)

bench-bulk: setup ## Measure many entries in one request beside one by one, and an import of many rows
	@$(BIN)/python benchmarks/bench_bulk.py $(ARGS)

bench-console: setup ## Measure what pages of the console cost beside the API for the same data, and how large they are
	@$(BIN)/python benchmarks/bench_console.py $(ARGS)

mutate: setup ## Change a module bit by bit and see whether its tests notice (ARGS="MODULE TESTS")
	@$(BIN)/python tools/mutate.py $(ARGS)

trace: setup ## Count the files that a request goes through, and the moves between them
	@$(BIN)/python -m tools.trace $(ARGS)

bench-sizes: setup ## Measure memory of each process and CPU of requests and jobs, to size a release from
	@$(BIN)/python benchmarks/bench_sizes.py

bench-fences: setup ## Time what the fences cost a no-op handler and a no-op endpoint
	@$(BIN)/python benchmarks/bench_fences.py $(ARGS)

chaos: setup ## Kill workers and broker under load, and count what was lost
	@$(BIN)/python tools/chaos.py $(ARGS)

zoo: setup ## Start with one plugin per fault, and show what an operator sees of each
	@$(BIN)/python tools/zoo.py $(ARGS)

restore-drill: setup ## Back a database up, restore it into a new release, and count what came back
	@$(BIN)/python -m tools.restore_drill

docs: setup ## Build the site of docs/ into .site/; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

docs-serve: setup ## Serve the site of docs/ on loopback, with reload
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --no-strict

openapi: setup ## Write docs/openapi.json, the schema of the host's own API
	@$(BIN)/python -m tools.openapi

client: setup ## Make a Python client of the API out of its schema, in .client/pagoda_client
	@$(BIN)/python tools/client.py

messages: setup ## Bring the catalogues of the console's languages to what its pages say
	@$(BIN)/python -m tools.messages

screenshots: setup ## Take the README's pictures of the console, of a host that is made for them
	@$(BIN)/python -m tools.screenshots

clean: ## Remove environments and caches
	rm -rf .venv .uv .client .site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
