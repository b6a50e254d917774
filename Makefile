# Two commands do everything: `make demo` and `make test`. The rest are their parts.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tfserving-operator
PYTHON := .venv/bin/python
VENV := .venv/.complete

include local/cluster.mk

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

build/uv/bin/uv:
	@command -v python3 >/dev/null || { echo "missing: python3 >= 3.11 (Debian: apt-get install python3 python3-venv)" >&2; exit 3; }
	@echo "uv: installing into build/uv"
	@python3 -m venv build/uv && build/uv/bin/pip install --quiet --disable-pip-version-check uv

$(VENV): requirements/dev.txt pyproject.toml build/uv/bin/uv
	@echo "venv: installing the packages of requirements/dev.txt"
	@test -x $(PYTHON) || build/uv/bin/uv venv --quiet --python python3 .venv
	@build/uv/bin/uv pip sync --quiet --python $(PYTHON) --require-hashes requirements/dev.txt
	@build/uv/bin/uv pip install --quiet --python $(PYTHON) --no-deps --editable .
	@touch $@

.PHONY: venv
venv: $(VENV) ## the development environment in .venv

.PHONY: lock
lock: build/uv/bin/uv ## renew the pinned requirements
	build/uv/bin/uv pip compile -q --group dev --group docs --generate-hashes --no-header --no-annotate --no-emit-index-url pyproject.toml -o requirements/dev.txt
	build/uv/bin/uv pip compile -q --generate-hashes --no-header --no-annotate --no-emit-index-url pyproject.toml -o requirements/operator.txt

.PHONY: generate
generate: $(VENV) ## write crds/, the chart's copy and the reference pages from the types
	@$(PYTHON) -m tfserving_operator.api.crd crds/modeldeployments.yaml charts/tfserving-operator/templates/crd.yaml
	@$(PYTHON) -m local.docgen

.PHONY: check
check: $(VENV) ## ruff, mypy, import contracts, generated files in step
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache
	@$(PYTHON) -m tfserving_operator.api.crd --check crds/modeldeployments.yaml charts/tfserving-operator/templates/crd.yaml
	@$(PYTHON) -m local.docgen --check

.PHONY: unit
unit: $(VENV) ## the tests that need no cluster
	@$(PYTHON) -m pytest -q -m "not cluster and not e2e and not zoo"

.PHONY: zoo-test
zoo-test: $(VENV) ## every model of the zoo once: the promises of the smoke engine
	@$(PYTHON) -m pytest -q -m zoo

.PHONY: zoo
zoo: $(VENV) ## the table of verdicts and causes over the zoo; SEEDS=5 for more draws, 30 for the long run
	@$(PYTHON) -m tests.zoo --seeds $(or $(SEEDS),1)

.PHONY: e2e
e2e: $(VENV) ## the tests that need the throwaway cluster
	@$(PYTHON) -m pytest -q -m "cluster or e2e"

.PHONY: test-gitops
test-gitops: $(VENV) ## health and rollouts as kstatus, Argo CD, Flux, kustomize and kubectl see them
	@$(PYTHON) -m pytest -q tests/gitops tests/cli/test_wait.py tests/e2e/test_flux.py tests/e2e/test_gitops_tools.py

.PHONY: fuzz
fuzz: $(VENV) ## drawn objects through CEL and Python: EXAMPLES=20000 for a long run
	@EXAMPLES=$(or $(EXAMPLES),5000) $(PYTHON) -m pytest -q -s tests/admission/test_fuzz.py

.PHONY: test
test: check unit zoo-test e2e ## everything that CI runs

.PHONY: demo
demo: $(VENV) ## six versions of a digit classifier on a real cluster; KEEP=1 leaves it up, CONTEXT=… uses yours
	@$(PYTHON) -m local.demo

.PHONY: sbom
sbom: $(VENV) ## the bill of materials of the operator's image (CycloneDX) and its licences, in build/sbom
	@$(PYTHON) -m local.images.bill

.PHONY: docs
docs: $(VENV) ## the documentation as a site in build/site
	@.venv/bin/mkdocs build --strict --quiet
