# make fuzz   sets itself up and runs the main job: two minutes of fuzzing, ends with the path of a page
# make test   sets itself up and runs every check: style, types, tests
# make bench  prints the benchmarks, as ratios within one run
# make emulation  compares the engine's profiles with the engines they emulate, a million outputs each
PYTHON ?= python3
VENV ?= .venv
PIP_FLAGS ?=
PYTEST_FLAGS ?=
TIME ?= 120s
OUT ?= out/$(shell date +%Y%m%d-%H%M%S)
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# make equivalence  runs 10,000 inputs through blocks of networks, fused and unfused
# make false-alarms  a million tie-rich elements of every operator; whatever is called wrong is listed
.PHONY: setup fuzz test lint bench emulation equivalence false-alarms clean
setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("quantdiff needs Python 3.11 or newer; call make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt -e '.[torch,opencv,dev]'
	touch $@

fuzz: $(READY)
	$(BIN)/quantdiff fuzz --family conv --time $(TIME) --out $(OUT) \
	  -b engine -b ort -b torch-fbgemm -b torch-qnnpack -b opencv || test $$? -eq 1

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The longest tests come last: who is idle takes over half of what another has left.
test: lint
	$(BIN)/pytest -n auto --dist worksteal $(PYTEST_FLAGS)

bench: $(READY)
	$(BIN)/python -m tests.benchmarks

emulation: $(READY)  # oneDNN chooses kernels by the CPU: those of AVX2 are emulated
	ONEDNN_MAX_CPU_ISA=AVX2 $(BIN)/python -m tests.emulation

equivalence: $(READY)
	$(BIN)/python -m tests.equivalence

false-alarms: $(READY)
	$(BIN)/python -m tests.falsealarms

clean:
	rm -rf $(VENV) out
