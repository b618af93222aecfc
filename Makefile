# Short names for what CONTRIBUTING.md explains. Each is one command that works without make too.

PYTHON = .venv/bin/python

.PHONY: help run test check lint format messages screens bench reliability conformance endurance mutation

help: ## This list
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/: .*## /\t/' | expand -t 14

run: ## The whole portal on this machine; Ctrl-C stops it
	python3 manage.py up

test: ## The whole suite
	python3 manage.py test

check: ## Everything that CI runs
	.ci/run

bench: ## The hot path beside its peers, in one table (needs wrk; about ten minutes)
	$(PYTHON) -m bench

reliability: ## Real processes, killed and restarted, with the counts printed (needs PostgreSQL; about ten minutes)
	$(PYTHON) -m pytest -o faulthandler_timeout=0 -m services -s

endurance: ## Mixed load with a fault every 20 seconds, ten minutes, on PostgreSQL and Redis; prints a table
	LATCHKEY_ENDURANCE_SECONDS=600 $(PYTHON) -m pytest -o faulthandler_timeout=0 -m services tests/keys/test_endurance.py -s

mutation: ## Break the code in small ways and see whether a test notices (about an hour); docs/mutation.md
	$(PYTHON) -m bench.mutation

conformance: ## MCP's conformance suite against the real processes (needs npm, which fetches Node 22 and the suite)
	npm --prefix var/conformance install --no-save --no-audit --no-fund node@22 @modelcontextprotocol/conformance@0.2.0-alpha.12
	LATCHKEY_NODE_TOOLS=$(CURDIR)/var/conformance $(PYTHON) -m pytest tests/e2e/test_conformance.py -rP

lint: ## Style, types, import rules, migrations
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy portal keys manage.py
	.venv/bin/lint-imports
	$(PYTHON) manage.py makemigrations --check --dry-run

format: ## Put the style right
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

messages: ## Bring the catalogues in locale/ up to date and compile them (needs GNU gettext)
	$(PYTHON) manage.py makemessages -l nl -l de -l es --no-location --no-obsolete -e html,txt,py -i .venv -i tests -i docs -i bench -i examples -i 'keys/verifier/*' -i 'keys/mcp/*' -i 'staticfiles/*' -i 'var/*'
	$(PYTHON) manage.py compilemessages -i .venv

screens: ## Pictures of every page, wide and narrow, light and dark, into var/screens
	$(PYTHON) manage.py screens var/screens
