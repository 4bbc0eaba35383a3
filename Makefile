# The two commands: `make demo` and `make test`. Both use .venv/, made from the lock file.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: demo demo-down test unit lint bench setup browser lock clean

# Python keeps what it compiled, whatever this shell says: hundreds of processes begin here.
export PYTHONDONTWRITEBYTECODE :=

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
EVC := .venv/bin/evc

demo: setup
	@.ci/demo

demo-down: .venv/made
	@[ ! -f demo/ServerConfig.yaml ] || { $(EVC) -C demo dashboard stop; $(EVC) -C demo lab down; $(EVC) -C demo registry down --purge --yes; }
	@$(SUDO) rm -rf demo
	@echo "The demo is gone."

test: setup browser tests/grafana/node_modules
	@$(EVC) -C / doctor --fix --emulate > /dev/null
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/pytest

unit: .venv/made
	.venv/bin/pytest tests/unit

bench: setup browser
	.venv/bin/python -m bench $(ONLY)

# What the lab, the registry and the tests need on this machine, an engine included.
setup: .venv/made
	@$(EVC) -C / doctor --fix > /dev/null

# What looks at the pages in tests and benchmarks; nobody else needs it.
browser:
	@[ -x /usr/bin/chromium ] || { $(SUDO) apt-get -qq update; \
	  $(SUDO) apt-get -qq install -y --no-install-recommends chromium > /dev/null; }

.venv/made: requirements.lock pyproject.toml
	@PYTHON="$$(.ci/python)" && rm -rf .venv && "$$PYTHON" -m venv .venv
	@echo "installing EVC's packages into .venv"
	@.venv/bin/pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv/bin/pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Grafana's own types and TypeScript, for the test of the dashboards: 10 MB.
tests/grafana/node_modules: tests/grafana/package-lock.json .venv/made
	@PATH="$$PWD/.venv/bin:$$PATH" npm ci --prefix tests/grafana --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The lock file, anew, from what pyproject.toml asks for.
lock: .venv/made
	@.venv/bin/pip install --quiet uv
	.venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --python-version 3.11 \
	  --extra dev --custom-compile-command "make lock" --output-file requirements.lock pyproject.toml

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache
