# Two commands do everything: `make reproduce` and `make test`. Each sets up what it needs and does it once.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
# Tools are called as modules: the first line of an installed script cannot name every folder.
TABLES ?= all
SEEDS ?=
PROFILE ?= quick
# Claims on what the paper quotes from others need those rows too; where a run takes GPU hours they are asked for by name.
CITED ?= $(if $(filter quick,$(PROFILE)),--cited)
# Another index for torch and torchvision alone, such as PyTorch's own of builds without CUDA (docs/faq.md).
TORCH_INDEX ?=
PIP := $(RUN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: reproduce test test-slow test-slurm test-faults test-hostile check benchmark fidelity docs clean help

reproduce: $(VENV)/ready  ## all tables, what they say of the paper's claims, and the report (TABLES="table4 table6" narrows, SEEDS=1, PROFILE=photos)
	$(RUN)/python -m parsenet_cli ablate $(TABLES) --profile $(PROFILE) $(if $(SEEDS),--seeds $(SEEDS)) $(CITED)
	$(if $(filter all,$(TABLES)),for figure in scales receptive-field context cost; do \
	    $(RUN)/python -m parsenet_cli figure $$figure --profile $(PROFILE) || exit; done)
	$(RUN)/python -m parsenet_cli verify $(TABLES) --profile $(PROFILE) || [ $$? -eq 3 ]  # a refuted claim is a result
	$(RUN)/python -m parsenet_cli report --profile $(PROFILE)

test: $(VENV)/ready  ## style, types and the test suite
	$(RUN)/python -m ruff check .
	$(RUN)/python -m ruff format --check .
	$(RUN)/python -m mypy
	$(RUN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-slow: $(VENV)/ready  ## the tests that take minutes
	$(RUN)/python -m pytest -m slow

test-slurm: $(VENV)/ready  ## the tests on a real Slurm of two nodes, started and ended by them (Debian: slurm-wlm, munge)
	$(RUN)/python -m pytest -m slurm tests/slurm

test-faults: $(VENV)/ready  ## 300 random faults: kills, full disks, damaged files, clocks (PARSENET_FAULTS=30, PARSENET_FAULT_SEED=1)
	$(RUN)/python -m pytest -m faults tests/faults

test-hostile: $(VENV)/ready  ## hostile folders, files and arguments, over every command that reads (PARSENET_HOSTILE_SEED=1)
	$(RUN)/python -m pytest -m hostile tests/hostile

benchmark: $(VENV)/ready  ## the measurements of the README's performance section
	$(RUN)/python -m benchmarks

fidelity: $(VENV)/ready  ## compare with the authors' Caffe and write the figures of docs/fidelity.md
	$(RUN)/python -m tests.golden

docs: $(VENV)/docs  ## the documentation as a site of files that need no server and no network: site/index.html; broken links are errors
	$(RUN)/python -m sphinx --quiet --fail-on-warning --keep-going --nitpicky --conf-dir docs --builder html . site
	@echo site/index.html

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(PIP) --no-deps --index-url $(TORCH_INDEX) torch torchvision)
	$(PIP) --editable '.[dev]'
	touch $@

$(VENV)/docs: $(VENV)/ready
	$(PIP) --editable '.[docs]'
	touch $@

clean:  ## remove the environment and what can be made again; results stay
	rm -rf $(VENV) site results/cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

help:
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*##/ —/'
