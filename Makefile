# `make run` and `make test` are all that a user needs; both make the environment in .venv first.
# Asked of the machine: Python 3.11 or newer with pip, make and git.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# A uv that answers, or the one that is installed into the environment.
UV := $(shell uv --version >/dev/null 2>&1 && echo uv || echo $(BIN)/uv)
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
# With the extra `weights` of each plugin that has it: pretrained weights that come as Python packages.
PLUGINS := $(foreach project,$(wildcard plugins/*/pyproject.toml),-e \
	'$(patsubst %/,%,$(dir $(project)))$(if $(shell grep '^weights = ' $(project)),[weights])')
EDITABLE := -e '.[dev]' $(PLUGINS)
# With the peers that tlbench is compared with.
WITH_PEERS := -e '.[dev,bench]' $(PLUGINS)
# One thread a worker is what the results are repeatable with, and what two test workers on two cores want.
OMP_NUM_THREADS ?= 1
PYTEST = HF_HUB_OFFLINE=1 $(BIN)/python -m pytest
# Threads that wait asleep: where others need the cores too, those that spin took four times as long.
THREADS := OMP_WAIT_POLICY=PASSIVE OMP_NUM_THREADS
# What is compared with other implementations; whoever picks with ARGS picks from every test.
EQUIVALENCE = -m equivalence $(if $(ARGS),$(ARGS),$(shell grep -rl --include='test_*.py' 'mark\.equivalence' tests plugins/*/tests))
OTHER := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 $(THREADS)=2
NOTHING_PICKED := 5
ARGS ?=
# MLflow cannot be installed at the versions that are pinned here.
SERVICES := .venv-services
SERVICES_PATH := src:plugins/tlbench-mlflow/src:plugins/tlbench-wandb/src
SERVICE_TESTS := $(wildcard plugins/*/tests/test_*_service.py)

.PHONY: help env run test test-processors test-services nightly check docs reference tour format soak bench bench-gpu bench-find-grid bench-find-replay bench-growth bench-ranks bench-ranks-tasks peers constraints leaderboards leaderboards-run site \
	clean

help:  ## Say what there is to make.
	@sed -n 's/^\([a-z-]*\):.*##/make \1 /p' Makefile

env: $(STAMP)  ## The environment in .venv, everything installed; nothing to do if nothing changed.

run: env  ## The whole benchmark: searched, measured, ranked. ARGS="--jobs 4" adds to the command.
	@$(BIN)/tlbench run --suite glue-lite $(ARGS)

test: check  ## Every check, then every test. ARGS="-k seal" picks.
	@$(THREADS)=$(OMP_NUM_THREADS) $(PYTEST) -n 2 $(ARGS)
	@echo "Once more what is compared with other implementations, under $(OTHER):"
	@$(OTHER) $(PYTEST) $(EQUIVALENCE) || test $$? -eq $(NOTHING_PICKED)

test-processors: env  ## The equivalence tests under every setting of ATen's and oneDNN's instruction sets and threads.
	@for aten in "" avx2 default; do for onednn in "" AVX2; do for threads in 1 2; do \
		setting="$${aten:+ATEN_CPU_CAPABILITY=$$aten }$${onednn:+ONEDNN_MAX_CPU_ISA=$$onednn }$(THREADS)=$$threads"; \
		echo "$$setting"; \
		env -u ATEN_CPU_CAPABILITY -u ONEDNN_MAX_CPU_ISA $$setting $(PYTEST) -q $(EQUIVALENCE) || \
			{ echo "fails under $$setting" >&2; exit 1; }; \
	done; done; done

test-services: $(SERVICES)/.installed  ## Observers with MLflow and wandb themselves, in an environment of its own.
	@HF_HUB_OFFLINE=1 PYTHONPATH=$(SERVICES_PATH) $(SERVICES)/bin/python -m pytest -q $(SERVICE_TESTS) $(ARGS)

nightly: env  ## The nightly job for this commit (docs/nightly.md). ARGS=--rehearse: three nights on a CPU, one with a regression.
	@$(BIN)/python -m tools.nightly $(ARGS)

check: env  ## Style, types, layers, circles of files, names, file lengths; and the site is made.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python tools/file_length.py
	@$(BIN)/python -m tools.architecture --check
	@$(BIN)/python tools/tour_map.py --check
	@$(BIN)/python -m tools.docs_site.references --check
	@$(BIN)/python -m tools.leaderboards.site build/site

docs: env  ## The documentation as a site, in build/docs; a dead link is an error.
	@$(BIN)/python -m tools.docs_site build/docs

reference: env  ## The pages of docs/reference, made of help texts and docstrings.
	@$(BIN)/python -m tools.docs_site.references

tour: env  ## Make the map in docs/tour.md of the modules' docstrings.
	@$(BIN)/python tools/tour_map.py

format: env  ## Put the code in shape.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

soak: env  ## The long tests: runs killed at random moments, and memory measured beside its estimate.
	@OMP_NUM_THREADS=$(OMP_NUM_THREADS) $(PYTEST) -m soak --timeout 3600 $(ARGS)

bench: peers  ## Side by side with peers; TLBENCH_DATA is GLUE's folder. ARGS="--rows probe" picks.
	@$(BIN)/python -m benchmarks.speed $(ARGS)

bench-gpu: peers  ## The same on a GPU, with a model of BERT-base's size.
	@$(BIN)/python -m benchmarks.speed --device cuda $(ARGS)

bench-ranks: env  ## Ranks and intervals, simulated; resumable. ARGS="--share 0.1" draws a tenth.
	@$(BIN)/python -m benchmarks.ranks $(ARGS)

bench-ranks-tasks: env  ## Means over tasks, simulated; resumable. ARGS="--draws 100" draws fewer.
	@$(BIN)/python -m benchmarks.ranks.several_tasks $(ARGS)

bench-find-grid: env  ## The grid of fits that policies are replayed on; resumable. ARGS="--bill" prints the hours alone.
	@$(BIN)/python -m benchmarks.find.make_grid $(ARGS)

bench-find-replay: env  ## Policies of `tlbench find` replayed on stored fits. ARGS="--fits shift" takes SHiFT's, in TLBENCH_DATA.
	@$(BIN)/python -m benchmarks.find.replay $(ARGS)

bench-growth: env  ## How cost grows with cells, records, trials and examples. ARGS="--only plan" picks.
	@$(BIN)/python -m benchmarks.growth $(ARGS)

peers: env
	@$(UV) pip install --quiet --python $(BIN)/python -c constraints.txt $(WITH_PEERS)

constraints: env  ## The newest versions that the bounds allow, pinned in constraints.txt.
	@$(UV) pip install --quiet --python $(BIN)/python --upgrade $(WITH_PEERS)
	@{ sed -n '/^#/p' constraints.txt; $(UV) pip freeze --quiet --python $(BIN)/python --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' \
		| grep -vE '^(uv|pip)=='; $(UV) --version | sed -E 's/^uv ([^ ]+).*/uv==\1/'; } > $(VENV)/constraints.txt
	@mv $(VENV)/constraints.txt constraints.txt

leaderboards: env  ## The committed pages and the picture, made again from the committed records.
	@for folder in leaderboards/*/; do \
		$(BIN)/tlbench leaderboard --out $$folder -f markdown > $${folder%/}.md; done
	@$(BIN)/tlbench leaderboard --out leaderboards/glue-lite -f svg > docs/glue-lite.svg

leaderboards-run: env  ## Make what is missing of all leaderboards; resumable. ARGS="--bill" prints the minutes alone, ARGS="glue imdb" picks.
	@$(BIN)/python -m tools.leaderboards $(ARGS)

site: env  ## All committed leaderboards as pages for a browser, in build/site.
	@$(BIN)/python -m tools.leaderboards.site build/site

clean:  ## Remove what was made; results in tlbench-results stay.
	@rm -rf $(VENV) $(SERVICES) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(SERVICES)/.installed: Makefile $(STAMP)
	@test -x $(SERVICES)/bin/python || $(UV) venv --quiet --python $(BIN)/python $(SERVICES)
	@$(UV) pip install --quiet --python $(SERVICES)/bin/python "mlflow>=3.10" "wandb>=0.20" msgspec numpy pandas pluggy pyarrow \
		pytest pytest-timeout
	@touch $@

$(STAMP): $(PROJECTS) constraints.txt Makefile
	@test -n "$(PYTHON)" || { echo "tlbench needs Python 3.11 or newer; name one with make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@test "$(UV)" = uv || test -x $(UV) || $(PYTHON) -m pip --quiet --python $(BIN)/python install -c constraints.txt uv
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt $(EDITABLE)
	@$(BIN)/python -m compileall -q src plugins/*/src
	@touch $@
