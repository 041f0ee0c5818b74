.DEFAULT_GOAL := help
.PHONY: help setup fit test unit lint clean

BIN := .venv/bin
ARGS ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'ARGS="..." is handed on to the program: make fit ARGS="seed=1", make unit ARGS="-k tree"'

setup: ## Make .venv: torch, TriAlign, the embedded model (PYTHON=, EXTRAS=, TORCH_SPEC= to choose)
	@bash scripts/install.sh

fit: setup ## Quick start: collect, audit, train, audit again
	$(BIN)/trialign fit --config conf/quickstart.yaml $(ARGS)

test: setup ## Unit and integration tests
	$(BIN)/pytest $(ARGS)

unit: setup ## Unit tests only
	$(BIN)/pytest -m "unit and not slow" $(ARGS)

lint: setup ## Style, format, types, import contracts, Dockerfile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile

clean: ## Remove caches (keeps .venv and runs)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
	find . -path ./.venv -prune -o -path ./runs -prune -o -type d -name __pycache__ -exec rm -rf {} +
