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
# The lowest versions that the requirements allow.
LOWEST := .venv-lowest
PLAIN := -e . $(patsubst %/pyproject.toml,-e %,$(wildcard plugins/*/pyproject.toml))
PORTABLE := tests/upgrade tests/contracts tests/api tests/running/verification tests/running/executors tests/cli/shell \
	tests/results/records tests/results/submissions
# Libraries that load exported models, without tlbench.
EXPORTS := .venv-exports
# What builds and checks distributions, apart from what they are tested with.
RELEASE := .venv-release
# The tools that look up vulnerabilities, apart from what they look at.
AUDIT := .venv-audit
SERVICES_PATH := src:plugins/tlbench-mlflow/src:plugins/tlbench-wandb/src
SERVICE_TESTS := $(wildcard plugins/*/tests/test_*_service.py)

.PHONY: clean $(shell sed -n 's/^\([a-z-]*\):.*\#\#.*/\1/p' Makefile)
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

test-services: $(SERVICES)/.installed env  ## With the services themselves: MLflow and wandb in an environment of its own, Slurm, PostgreSQL.
	@HF_HUB_OFFLINE=1 PYTHONPATH=$(SERVICES_PATH) $(SERVICES)/bin/python -m pytest -q $(SERVICE_TESTS) $(ARGS)
	@tools/services.sh install
	@$(THREADS)=$(OMP_NUM_THREADS) $(PYTEST) -q -m "soak or not soak" --timeout 3600 plugins/tlbench-slurm/tests tests/running/sharing $(ARGS)

test-exports: $(EXPORTS)/.installed env  ## A winner of each kind exported, and loaded without tlbench by the libraries' own calls. ARGS="--only spans".
	@HF_HUB_OFFLINE=1 $(THREADS)=$(OMP_NUM_THREADS) $(BIN)/python -m tools.exports --python $(EXPORTS)/bin/python $(ARGS)

audit: env $(AUDIT)/.installed  ## Known vulnerabilities of the pinned versions; all components (SBOM) in build/sbom.json.
	@$(AUDIT)/bin/python -m tools.audit --environment $(VENV) $(ARGS)

fuzz: env  ## Damaged files of every format, TLBENCH_FUZZ (300) of each. ARGS="-k parquet" picks.
	@TLBENCH_FUZZ=$${TLBENCH_FUZZ:-300} $(PYTEST) -q --timeout 36000 tests/untrusted/test_fuzz_sent_files.py $(ARGS)

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

dist: $(RELEASE)/.installed  ## Wheels and source distributions of all packages, checked, in dist/.
	@$(RELEASE)/bin/python -m tools.release.build dist --uv "$(UV)"
	@$(RELEASE)/bin/twine check --strict dist/*
	@$(RELEASE)/bin/check-wheel-contents dist/*.whl

test-wheels: dist  ## Each wheel alone in a clean environment, and the README's start: minutes. ARGS="--only tlbench-hf" picks.
	@$(RELEASE)/bin/python -m tools.release.try_wheels dist --uv "$(UV)" $(ARGS)

test-lowest: env  ## The portable tests with the lowest versions that the requirements allow, in an environment of its own.
	@test -x $(LOWEST)/bin/python || $(UV) venv --quiet --python $(BIN)/python $(LOWEST)
	@$(UV) pip install --quiet --python $(LOWEST)/bin/python --resolution lowest-direct $(PLAIN)
	@$(UV) pip install --quiet --python $(LOWEST)/bin/python "pytest>=8.2" "pytest-timeout>=2.3" "hypothesis>=6.100" "pyyaml>=6.0"
	@HF_HUB_OFFLINE=1 $(THREADS)=1 $(LOWEST)/bin/python -m pytest -q $(PORTABLE) $(ARGS)

test-portable: env  ## What must hold on every system and version: identities, files, runs of toys, with spawned workers too.
	@$(THREADS)=1 $(PYTEST) -q $(PORTABLE) $(ARGS)

release-version: env  ## The version of all packages: make release-version V=0.2.0
	@$(BIN)/python -m tools.release.set_version $(V)

docs: env  ## The documentation as a site, in build/docs; a dead link is an error.
	@$(BIN)/python -m tools.docs_site build/docs

reference: env  ## The pages of docs/reference, made of help texts and docstrings.
	@$(BIN)/python -m tools.docs_site.references

tour: env  ## Make the map in docs/tour.md of the modules' docstrings.
	@$(BIN)/python tools/tour_map.py

format: env  ## Put the code in shape.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test-faults: env  ## The long forms of the tests of faults (docs/reliability.md). TLBENCH_TEST_KILLS=0.2 makes a fifth of the kills.
	@OMP_NUM_THREADS=$(OMP_NUM_THREADS) $(PYTEST) -m soak --timeout 3600 -s tests/running/faults tests/running/test_kills.py \
		tests/running/forking/test_soak.py tests/finding/test_find_kills.py $(ARGS)

soak: env  ## The long tests: runs killed at random moments, and memory measured beside its estimate.
	@OMP_NUM_THREADS=$(OMP_NUM_THREADS) $(PYTEST) -m soak --timeout 3600 $(ARGS)

soak-ray: env  ## A machine of a Ray cluster removed ten times in the middle of a run, and 100 late answers.
	@OMP_NUM_THREADS=$(OMP_NUM_THREADS) $(PYTEST) -m soak --timeout 900 plugins/tlbench-ray/tests $(ARGS)

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

bench-find-live: env  ## `tlbench find` beside transformers' search, on the same rows and minutes. ARGS="--minutes 5" sets them.
	@$(BIN)/python -m benchmarks.find.live $(ARGS)

bench-defaults: env  ## Is the first setting of each strategy within a point of the best of eight? Resumable; TLBENCH_DATA names the data.
	@$(BIN)/python -m benchmarks.defaults $(ARGS)

bench-slurm: env  ## What a fit costs in an array of a Slurm of one node beyond its own work. ARGS="--cells 1000 --jobs 4".
	@$(BIN)/python -m benchmarks.slurm $(ARGS)

bench-executors: env  ## What fits cost on executors beyond their own work. ARGS="--model" predicts 2, 4 and 8 workers, and compares.
	@$(BIN)/python -m benchmarks.executors $(ARGS)

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

tiers: env  ## How far the committed records can be checked here (docs/submissions.md); TLBENCH_DATA names the data.
	@$(BIN)/tlbench verify leaderboards/*/ --to leaderboards/tiers.json $(ARGS)

site: env  ## All committed leaderboards as pages for a browser, in build/site.
	@$(BIN)/python -m tools.leaderboards.site build/site

clean:  ## Remove what was made; results in tlbench-results stay.
	@rm -rf $(VENV) $(SERVICES) $(RELEASE) $(AUDIT) $(LOWEST) $(EXPORTS) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RELEASE)/.installed: Makefile $(STAMP)
	@test -x $(RELEASE)/bin/python || $(UV) venv --quiet --python $(BIN)/python $(RELEASE)
	@$(UV) pip install --quiet --python $(RELEASE)/bin/python "check-wheel-contents>=0.6.1" "hatchling>=1.27" "twine>=6.1"
	@touch $@

$(SERVICES)/.installed: Makefile $(STAMP)
	@test -x $(SERVICES)/bin/python || $(UV) venv --quiet --python $(BIN)/python $(SERVICES)
	@$(UV) pip install --quiet --python $(SERVICES)/bin/python "mlflow>=3.10" "wandb>=0.20" msgspec numpy pandas pluggy pyarrow \
		pytest pytest-timeout
	@touch $@

$(EXPORTS)/.installed: Makefile $(STAMP)
	@test -x $(EXPORTS)/bin/python || $(UV) venv --quiet --python $(BIN)/python $(EXPORTS)
	@$(UV) pip install --quiet --python $(EXPORTS)/bin/python -c constraints.txt numpy onnxruntime peft pillow safetensors \
		sentence-transformers timm torch transformers
	@touch $@

$(AUDIT)/.installed: Makefile $(STAMP)
	@test -x $(AUDIT)/bin/python || $(UV) venv --quiet --python $(BIN)/python $(AUDIT)
	@$(UV) pip install --quiet --python $(AUDIT)/bin/python "pip-audit>=2.9" "cyclonedx-bom>=7"
	@touch $@

$(STAMP): $(PROJECTS) constraints.txt Makefile
	@test -n "$(PYTHON)" || { echo "tlbench needs Python 3.11 or newer; name one with make PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@test "$(UV)" = uv || test -x $(UV) || $(PYTHON) -m pip --quiet --python $(BIN)/python install -c constraints.txt uv
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt $(EDITABLE)
	@$(BIN)/python -m compileall -q src plugins/*/src
	@touch $@
