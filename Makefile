# Run `make` for a list of what there is. Needs bash, Python 3.11 or newer, and root for the targets with a lab.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SUFFIXES:

# The lab that demo, demo-env and demo-down work on; two may stand side by side.
VAULT_ESO_LAB ?= demo
export VAULT_ESO_LAB
# The Python that .venv is made with; the first one that is new enough when empty.
PYTHON ?=
export PYTHON

# How many integration tests run at the same time, each with servers of its own; 1 also keeps the parts of `make test` apart.
JOBS ?= 2
export JOBS

# The caller's own, for demo-env.
export CALLER_PATH := $(PATH)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.PHONY: help
help: ## Show this list
	@echo 'make TARGET, where TARGET is one of:'
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo 'Variables: VAULT_ESO_LAB=$(VAULT_ESO_LAB) (name of the lab), PYTHON=/path/to/python3 (for .venv),'
	@echo 'VAULT_BINARY and ESO_CONTROLLER (another server, another controller), KUBECONFIG or KUBEBUILDER_ASSETS (tests).'

.PHONY: setup
setup: ## Make .venv with everything that the other targets need
	@scripts/setup

.PHONY: lock
lock: setup ## Write requirements-lock.txt anew from requirements-dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --upgrade \
	  --quiet requirements-dev.txt --output-file requirements-lock.txt
	sed -i '1i # Everything that requirements-dev.txt needs, by hashes: written by `make lock`.' requirements-lock.txt

.PHONY: preflight
preflight:
	@scripts/preflight

.PHONY: demo
demo: export DEMO_STARTED := $(shell date +%s)
demo: preflight setup ## From nothing to a running cluster and a synced Kubernetes secret, on this machine
	ansible-playbook molecule/lab/create.yml
	ansible-playbook -i inventories/demo playbooks/site.yml
	@python scripts/demo_overview.py

.PHONY: demo-env
demo-env: setup ## Print export lines for the demo: eval "$$(make -s demo-env)"
	@python scripts/demo_env.py

.PHONY: demo-overview
demo-overview: setup ## Show the demo again: nodes, what is configured, what is synced
	@python scripts/demo_overview.py

.PHONY: demo-down
demo-down: setup ## Remove the demo without a trace (the caches stay)
	ansible-playbook molecule/lab/destroy.yml

.PHONY: lint
lint: setup ## Lint: ansible-lint (production), ruff, mypy, yamllint, changelog, shellcheck where it is installed
	@scripts/lint

.PHONY: generate
generate: setup ## Write what follows from the kinds: documentation of options, lists, tables
	python scripts/generate.py

.PHONY: format
format: setup ## Bring the Python files into the form that lint asks for
	ruff check --fix --quiet . || true
	ruff format .

.PHONY: sanity
sanity: setup ## The whole of ansible-test sanity, without Docker
	@scripts/sanity

.PHONY: sanity-cores
sanity-cores: setup ## The same by the oldest and the newest supported ansible-core, where there is a Python for them
	@scripts/sanity_cores

.PHONY: unit
unit: setup ## Unit tests: pure logic
	python -m pytest tests/unit $(PYTEST_ARGS)

.PHONY: integration
integration: setup ## Every module against a real OpenBao (or VAULT_BINARY) and a real Kubernetes API server
	python -m pytest tests/integration -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

.PHONY: molecule
molecule: preflight setup ## Molecule's scenarios on real hosts: the main job (default), many clusters (fleet)
	for scenario in default fleet; do \
	  VAULT_ESO_LAB=molecule ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/playbooks/collections ANSIBLE_ROLES_PATH=$(CURDIR)/roles \
	    molecule test -s $$scenario; \
	done

.PHONY: test-day2
test-day2: preflight setup ## Day 2 on real hosts: faults, kills and repairs, one after the other (PYTEST_ARGS="-k rolling")
	VAULT_ESO_LAB=day2 ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/playbooks/collections ANSIBLE_ROLES_PATH=$(CURDIR)/roles \
	  PYTEST_ARGS="$(PYTEST_ARGS)" molecule test -s day2

.PHONY: check
check: lint ## For every save: lint, types, unit tests, and a test of each kind against real servers, in some two minutes
	python -m pytest tests/unit -q -n $(JOBS)
	python -m pytest tests/integration/test_generated_partial.py tests/integration/test_eso_kinds.py tests/integration/test_peer_defects.py \
	  -k "the_rest_stays or test_life or every_kind" -q -n $(JOBS)

.PHONY: artifact
artifact: setup ## Build the collection, have galaxy-importer read it, install it elsewhere, and check its contents
	@python scripts/check_artifact.py

.PHONY: test
test: setup ## All of it: lint, sanity, unit, artifact, integration, molecule
	@python scripts/test_all.py

.PHONY: bench
bench: setup ## Compare with what else configures a Vault (BENCH_ARGS="--sizes 100" for a quick run)
	python benchmarks/bench.py $(BENCH_ARGS)

.PHONY: build
build: setup ## Build the artifact into build/
	@mkdir -p build
	ansible-galaxy collection build --force --output-path build

.PHONY: changelog
changelog: setup ## Bring CHANGELOG.rst up to date with the fragments and the plugins of galaxy.yml's version
	antsibull-changelog release --update-existing --reload-plugins

.PHONY: clean
clean: ## Remove what make made here, .venv included (a lab is removed by demo-down)
	rm -rf .venv .ansible .cache .mypy_cache .pytest_cache .ruff_cache build tests/output changelogs/.plugin-cache.yaml
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
