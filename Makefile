# Everything installs into .venv, once; a change of pyproject.toml installs again.
#   make run     try it: a server with demo accounts on http://127.0.0.1:8008/, data in data/
#   make test    install what the tests need, and run all of them
#   make check   the same checks without installing tools of the system
#   make bench   measure a server (benchmarks/); BENCH="--sizes 1000" passes options, BASE=commit compares with it
#   make growth  how cost grows with calendars and users
#   make clean   remove .venv and caches; data/ stays

SHELL := /bin/bash
BIN := .venv/bin
DATA ?= data
LISTEN ?= tcp:8008:interface=127.0.0.1

.PHONY: help run test check bench growth clean

help:
	@sed -n 's/^#   //p' Makefile

run: .venv/.installed-run
	@exec $(BIN)/calserver demo $(DATA) --listen $(LISTEN)

test: .venv/.installed-dev
	@scripts/install-tools
	@scripts/check

check: .venv/.installed-dev
	@scripts/check

bench: .venv/.installed-dev
	@$(BIN)/python -m benchmarks $(if $(BASE),--base $(BASE)) $(BENCH)

growth: .venv/.installed-dev
	@$(BIN)/python -m benchmarks.growth $(BENCH)

.venv/.installed-run: pyproject.toml
	@scripts/install

.venv/.installed-dev: pyproject.toml
	@scripts/install dev

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
