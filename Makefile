# The two commands of the README are `make demo` and `make test`; both set up what they need.

SHELL := bash -o pipefail
PYTHON ?= python3
VENV ?= .venv
# nproc obeys OMP_NUM_THREADS, which says how many threads a job has, not how many jobs there may be.
CORES ?= $(shell env -u OMP_NUM_THREADS nproc)
# The demo stays below this many MB by running fewer jobs at once.
MEMORY_MB ?= 8000

BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
GIVEN_PYTHONPATH := $(PYTHONPATH)
export PYTHONPATH := $(abspath workflow/scripts)
# Hundreds of processes import the same modules: what Python compiles is kept, also in containers that say otherwise.
unexport PYTHONDONTWRITEBYTECODE
READY := $(VENV)/.ready
# The browser's part of the results' page; its packages are npm's, by node of the locked packages.
PAGE := workflow/page
BUNDLE := $(PAGE)/bundle/SHA256SUMS
NPM_PACKAGES := $(PAGE)/node_modules/.package-lock.json
SET_UP := $(READY) $(BUNDLE)
# A folder that make wheels has filled, from which packages are installed without a network.
WHEELS ?=
# Snakemake wants a cache in the home; where that can't be written, it is here.
export XDG_CACHE_HOME ?= $(shell \
	(mkdir -p "$${HOME:?}/.cache/snakemake" && test -w "$$HOME/.cache/snakemake" && echo "$$HOME/.cache") 2>/dev/null \
	|| echo '$(CURDIR)/.snakemake/cache')
LOCK := workflow/envs/requirements.lock
DEMO := snakemake --directory demo --configfile config/demo.yaml
CHECKED := workflow/scripts tests benchmarks
# One process per core; tests/conftest.py has the longest tests come first.
SIDE_BY_SIDE := --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder --durations=10
TESTS ?= tests
HEADCT_REAL_CT ?= ../shared/data/real_ct

# A study on a cluster: its configuration and folder, and how Snakemake is started for it.
CONFIG ?= config/config.yaml
STUDY ?= .
RUN ?= --profile slurm
# So many scans, for a plan without a sheet; the GPU that it is for; measured rates and sizes, if not those of resources.
SCANS ?=
CARD ?=
RATES ?=
SIZES ?=

.PHONY: demo environment test test-quick test-slow some-environment plan status resume drill benchmarks gpu rates wheels container lint format lock gallery pictures

demo: $(SET_UP)  ## simulate a trial and run the whole comparison on it, in demo/
	mkdir -p demo
	python -m headct simulate --configfile config/demo.yaml --out demo/trial
	@# The lock ends with its process, Snakemake's does not: after a kill -9 it is stale, and taken away.
	flock --nonblock demo/.running sh -c '\
		if ls demo/.snakemake/locks/* > /dev/null 2>&1; then $(DEMO) --unlock --quiet all || exit; fi; \
		$(DEMO) --cores $(CORES) --resources mem_mb=$(MEMORY_MB) \
			--keep-going --rerun-incomplete --quiet host rules reason'
	python -m headct summary demo/results

environment: $(SET_UP)  ## the locked packages in .venv, and nothing else (WHEELS= of make wheels: without a network)

test: $(SET_UP)  ## unit tests, workflow tests, and checks of the demo's results (runs the demo if need be)
	python -m pytest $(SIDE_BY_SIDE) $(TESTS)

test-quick: $(SET_UP)  ## unit tests: what makes no whole scan, training, study or run
	python -m pytest $(SIDE_BY_SIDE) -m 'not slow and not whole' $(TESTS)

test-slow: $(SET_UP)  ## drills of many minutes: kills, resumes, repeats; the result is kept, with its date
	(date --utc +%F; git log -1 --format='commit %h'; \
	 python -m pytest -m slow -rA --durations=0 --show-capture=no) 2>&1 | tee tests/drills/slow-result.txt

plan: some-environment  ## what a run would ask for, before anything is submitted (CONFIG=, STUDY=, SCANS=, CARD=, RATES=, SIZES=)
	@python -m headct plan --configfile $(CONFIG) --directory $(STUDY) $(if $(SCANS),--scans $(SCANS)) \
		$(if $(CARD),--card '$(CARD)') $(if $(RATES),--rates $(RATES)) $(if $(SIZES),--sizes $(SIZES))

status: some-environment  ## where each training stands: epoch, loss, time left, last checkpoint, node (STUDY=)
	@python -m headct status $(STUDY)

resume: some-environment  ## go on after Snakemake was killed: waits for its jobs, unlocks, starts (RUN="--profile slurm …")
	@python -m headct resume -- $(RUN)

drill: $(READY)  ## many faults on a real Slurm, as root; the log and its table are kept, with their date
	(echo "# Faults on a real Slurm: log of make drill"; echo; date --utc +%F; git log -1 --format='commit %h'; \
	 PYTHONPATH=$(PYTHONPATH):tests python tests/drills/slurm.py) 2>&1 | tee tests/drills/slurm-result.md

BENCHMARKS ?= dag ingest losses training inference metrics null_studies verify page

benchmarks: $(SET_UP)  ## against peers, on real and simulated scans; the results are kept, with their date
	for name in $(BENCHMARKS); do \
		HEADCT_REAL_CT=$(HEADCT_REAL_CT) python benchmarks/$$name.py > benchmarks/$$name.md.new \
			&& mv benchmarks/$$name.md.new benchmarks/$$name.md || exit 1; done

DEVICE ?= cuda
SCALE ?= full
HALF ?= all
SLOWER ?= 1
OUT ?= $(if $(filter cuda,$(DEVICE)),benchmarks/gpu.md,build/gpu.md)

# Whatever Python has the packages will do: nothing is installed, and none of the workflow engine is needed.
gpu:  ## is all right and fast on an NVIDIA GPU? Ten minutes (PYTHON=, HALF=A, SLOWER=3, DEVICE=cpu SCALE=small)
	PYTHONPATH=$(GIVEN_PYTHONPATH) $(PYTHON) benchmarks/gpu \
		--device $(DEVICE) --scale $(SCALE) --half $(HALF) --slower $(SLOWER) --out $(OUT)

rates:  ## what make gpu has measured, as rows of a file of rates for make plan (OUT=, RATES=)
	@$(PYTHON) benchmarks/gpu/rates.py --measured $(OUT:.md=.measured) --rates $(or $(RATES),resources/rates.tsv)

# For machines without a network: make environment WHEELS=the folder installs from it.
PACK ?= build/wheels
wheels: $(SET_UP)  ## the locked packages as one folder of wheels, 3.2 GB, with their SHA-256 (PACK=)
	mkdir -p $(PACK)
	python -m pip wheel --requirement $(LOCK) --wheel-dir $(PACK)
	rm -rf $(PACK)/page && cp -r $(PAGE)/bundle $(PACK)/page
	cd $(PACK) && sha256sum -- *.whl page/* > SHA256SUMS

BASE ?= docker.io/library/debian:12-slim
IMAGE ?= headct
BUILD ?= buildah build
container:  ## an image with the wheels of make wheels, by buildah or BUILD="podman build" (BASE=, IMAGE=, PACK=)
	$(BUILD) --build-arg BASE=$(BASE) --volume $(abspath $(PACK)):/wheels:ro \
		--tag $(IMAGE) --file workflow/envs/Containerfile .

lint: $(SET_UP)  ## formatting, lint, types, documentation that is generated
	ruff check $(CHECKED)
	ruff format --check $(CHECKED)
	snakefmt --check Snakefile workflow/rules
	mypy
	lint-imports --no-cache
	cd $(PAGE) && npm run --silent lint && npm run --silent test
	mkdir -p demo
	python -m headct simulate --configfile config/demo.yaml --out demo/trial
	$(DEMO) --lint
	python -m headct configuration --document | diff config/README.md - \
		|| (echo "config/README.md is out of date: run 'make config/README.md'"; false)

format: $(SET_UP)
	ruff check --fix $(CHECKED)
	ruff format $(CHECKED)
	snakefmt Snakefile workflow/rules
	cd $(PAGE) && npm run --silent format

config/README.md: workflow/schemas/config.schema.yaml workflow/scripts/headct/settings/configuration.py | $(READY)
	python -m headct configuration --document > $@

gallery: $(READY)  ## pictures of the demo's page and figures for docs/gallery (needs chromium and pdftoppm)
	PYTHONPATH=$(PYTHONPATH):tests python docs/gallery/make.py

pictures: $(READY)  ## the schematic pictures of docs/how-to/data.md, into docs/pictures
	python docs/pictures/make.py

# Each package of the lock is held against its digest. A machine without a network takes the bundle of make wheels.
ifeq ($(WHEELS),)
$(BUNDLE): $(NPM_PACKAGES) $(PAGE)/build.js $(wildcard $(PAGE)/src/*)
	cd $(PAGE) && npm run --silent bundle
else
$(BUNDLE): $(PAGE)/package-lock.json $(PAGE)/build.js $(wildcard $(PAGE)/src/*) | $(READY)
	rm -rf $(PAGE)/bundle && cp -r $(WHEELS)/page $(PAGE)/bundle
	touch $@
endif

$(NPM_PACKAGES): $(PAGE)/package-lock.json | $(READY)
	cd $(PAGE) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

is_python_3.11 = $(1) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	(echo "Python 3.11 is needed, $$($(1) --version) is '$(1)': $(2)"; false)

# Of an environment that is there, however it was made, pip keeps what is right and adds what is missing.
$(READY): $(LOCK) pyproject.toml | $(BIN)/python
	@$(call is_python_3.11,$(BIN)/python,move $(VENV) away)
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(BIN)/python -m ensurepip
	$(if $(WHEELS),cd $(WHEELS) && sha256sum --check --quiet SHA256SUMS)
	$(BIN)/python -m pip install $(if $(WHEELS),--no-index --find-links $(WHEELS) )--requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(BIN)/python:
	@$(call is_python_3.11,$(PYTHON),make PYTHON=/path/to/python3.11)
	@$(PYTHON) -c 'import ensurepip' || (echo "python3-venv is needed: apt-get install python3-venv"; false)
	@echo "Installing the locked packages into $(VENV): about 3 GB to download, 7 GB on disk, once."
	$(PYTHON) -m venv $(VENV)

# For what only asks: that of this repository, or the one that is activated. Nothing is installed.
some-environment:
	@python -c 'import snakemake, yaml' 2>/dev/null || \
		(echo "No environment with the locked packages is here: 'make environment' makes one, or activate yours"; false)

lock:  ## resolve pyproject.toml anew, in an environment of its own, and pin every package
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet '.[dev]'
	.venv-lock/bin/python -m pip freeze --all --exclude pip --exclude headct > .venv-lock/pins
	(echo "# Every package, exactly; made by 'make lock' from pyproject.toml. Linux x86_64, Python 3.11."; \
	 cat .venv-lock/pins) > $(LOCK)
	(echo "# For 'snakemake --sdm conda', made by 'make lock': the packages of requirements.lock. Not run in CI."; \
	 printf 'channels: [conda-forge]\ndependencies:\n  - python =3.11\n  - pip\n  - pip:\n'; \
	 sed 's/^/      - /' .venv-lock/pins) > workflow/envs/headct.yaml
	rm -rf .venv-lock
