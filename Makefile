.DEFAULT_GOAL := help
.PHONY: help setup fit dashboard test unit lint site bench clean

BIN := .venv/bin
ARGS ?=
WORKERS ?= 2

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'ARGS="..." is handed on to the program: make fit ARGS="seed=1", make unit ARGS="-k tree"'

setup: ## Make .venv: torch, TriAlign, the embedded model (PYTHON=, EXTRAS=, TORCH_SPEC= to choose)
	@bash scripts/install.sh

fit: setup ## Quick start: collect, audit, train, audit again
	$(BIN)/trialign fit --config conf/quickstart.yaml $(ARGS)

dashboard: setup ## Look at the runs under runs/ in the browser (http://localhost:8501)
	@mkdir -p runs
	$(BIN)/trialign dashboard runs $(ARGS)

test: setup ## Unit and integration tests, in two processes of one thread each (WORKERS= to choose)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(WORKERS) --dist loadfile --durations 40 $(ARGS)

unit: setup ## Unit tests only
	$(BIN)/pytest -m "unit and not slow" $(ARGS)

lint: setup ## Style, format, types, import contracts, Dockerfile, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint Dockerfile
	@$(MAKE) --no-print-directory site

site: setup ## The docs as a site, in build/site: a broken link or a page outside the menu fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

bench: ## Side by side with TRL, PEFT and lm-evaluation-harness (docs/performance.md)
	EXTRAS=dev,bench $(MAKE) setup
	$(BIN)/python benchmarks/training.py --data options --queries 1 --rounds 3
	$(BIN)/python benchmarks/training.py --data turns --tokens 12 --micro-batches 8 --rounds 1
	$(BIN)/python benchmarks/collecting.py --questions 1 --tokens 12 --rounds 1
	$(BIN)/python benchmarks/growth.py --rounds 1
	$(BIN)/python benchmarks/choices.py --questions 2 --rounds 1
	$(BIN)/python benchmarks/one_adapter.py --rounds 1
	$(BIN)/python benchmarks/activated.py --rounds 1
	$(BIN)/python benchmarks/windows.py --rounds 1
	$(BIN)/python benchmarks/continued.py --rounds 1

clean: ## Remove caches (keeps .venv and runs)
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
	find . -path ./.venv -prune -o -path ./runs -prune -o -type d -name __pycache__ -exec rm -rf {} +
