# `make` lists the targets. Settings of a run (PORT, HOST, VAR_DIR, DEMO, ...) are given on the line or in the environment:
# make run PORT=9000

PYTHON ?= python3
VENV := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help run setup test quick check bench screenshots fix messages audit runtime

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: runtime ## the whole product on this machine: servers, demo, web, worker, scheduler; Ctrl-C stops it
	@exec $(VENV) -m core.local.run

setup: ## only the environment: .venv with the locked packages and the tools for tests
	@$(PYTHON) core/local/environment.py requirements-test.lock

test: setup ## every test, on servers of its own and a real browser, a process for each core; one: ARGS="-n0 tests/..."
	@$(PYTHON) .ci/need.py chromium
	@$(PYTHON) .ci/need.py pdftotext
	@$(PYTHON) .ci/need.py soffice
	@$(VENV) -m pytest --numprocesses auto --dist loadfile $(ARGS)

quick: setup ## the tests that take under half a second each
	@$(VENV) -m pytest -q -m "not slow" $(ARGS)

check: setup ## ruff, format, mypy, imports, templates, migrations, OpenAPI, lock files, container files
	@$(VENV) .ci/check.py

bench: setup ## benchmarks as one table with ratios, also var/bench/latest.json; ONLY=name for one
	@$(VENV) -m tests.benchmarks $(ONLY)

screenshots: setup ## every page in both themes: docs/screenshots/, var/screenshots/
	@$(PYTHON) .ci/need.py chromium
	@$(VENV) -m tests.browser.screenshots

fix: setup ## format, auto-fix, renew docs/openapi.yaml
	@$(VENV) .ci/check.py --fix

messages: setup ## texts of pages into locale/, catalogues compiled (needs gettext)
	@$(PYTHON) .ci/need.py xgettext
	@$(VENV) .ci/messages.py

audit: ## known vulnerabilities of the locked packages (needs the internet)
	@$(PYTHON) .ci/audit.py

runtime:
	@$(PYTHON) core/local/environment.py requirements.lock
