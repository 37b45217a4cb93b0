# One word each. Needs Python 3.11+, a C++ compiler and make; everything else goes into a private environment.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: build test demo bench lint format cuda-check cpp-test sanitize validate clean

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q -c constraints.txt "scikit-build-core>=0.11" "pybind11>=2.13" "cmake>=3.25" "ninja>=1.11"
	$(PIP) install -q -c constraints.txt --no-build-isolation -e ".[dev]"
	touch $@

build: $(VENV)/.ready
	$(PIP) install -q -c constraints.txt --no-build-isolation --no-deps -e .

test: build cpp-test
	$(BIN)/python -m pytest -q

cpp-test: $(VENV)/.ready
	cmake -S . -B build/tests -G Ninja -DCLUSTERMASS_PYTHON=OFF -DCLUSTERMASS_TESTS=ON -DCLUSTERMASS_CUDA=OFF
	cmake --build build/tests
	ctest --test-dir build/tests --output-on-failure

demo: build
	$(BIN)/clustermass demo --out demo

bench: build
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.run

lint: $(VENV)/.ready
	ruff check .
	ruff format --check .
	mypy
	clang-format --dry-run --Werror $$(git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh')

format: $(VENV)/.ready
	ruff check --fix .
	ruff format .
	clang-format -i $$(git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh')

clean:
	rm -rf build $(VENV)
