# `make run` starts everything, `make test` runs the tests; both install what is missing first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test lock

run: $(VENV)/.installed
	@exec $(BIN)/python manage.py up

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(PYTEST_ARGS)

# uv is several times faster; pip does the same where there is no uv.
install = if command -v uv >/dev/null 2>&1; \
	then VIRTUAL_ENV=$(VENV) uv pip install --quiet --require-hashes -r $(1); \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(1); fi

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock | $(BIN)/python
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(call install,requirements-dev.lock)
	@touch $@

lock:
	uv pip compile --quiet pyproject.toml --generate-hashes --universal --python-version 3.11 --no-annotate --no-header -o requirements.lock
	uv pip compile --quiet pyproject.toml --group pyproject.toml:dev -c requirements.lock --generate-hashes --universal --python-version 3.11 --no-annotate --no-header -o requirements-dev.lock
