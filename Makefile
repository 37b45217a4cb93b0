# One word each. Needs Python 3.11+, a C++ compiler and make; everything else goes into a private environment.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(abspath $(VENV))/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
NATIVE := build/native
# Warnings of compilers not known today must not stop a user: only CI makes them errors.
WERROR ?= OFF
export PATH := $(BIN):$(PATH)

.PHONY: build test cpp-test demo bench real-clusters lint format tidy sanitize cuda-check gpu-check clean

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q -c constraints.txt "scikit-build-core>=0.11" "pybind11>=2.13" "cmake>=3.25" "ninja>=1.11"
	touch $@

# The extension and the C++ tests share one build folder, so that kernels are compiled once and rebuilds are incremental.
SOURCES := CMakeLists.txt $(shell find cpp cuda cmake tests/cpp python -type f \
	! -path '*/__pycache__/*' ! -name '*.so' ! -name '*.md' 2>/dev/null)
$(VENV)/.built: $(VENV)/.ready $(SOURCES)
	$(PIP) install -q -c constraints.txt --no-build-isolation --config-settings=build-dir=$(NATIVE) \
		--config-settings=cmake.define.CLUSTERMASS_TESTS=ON --config-settings=cmake.define.CLUSTERMASS_WERROR=$(WERROR) -e ".[dev]"
	touch $@

build: $(VENV)/.built

# The CUDA sources over host memory are built with the C++ tests: that they run is part of the test.
test: cpp-test
	CLUSTERMASS_REQUIRE_BACKENDS=$${CLUSTERMASS_REQUIRE_BACKENDS:-native,emulated} $(BIN)/python -m pytest -q -n auto

cpp-test: build
	ctest --test-dir $(NATIVE) --output-on-failure --parallel 2

demo: build
	$(BIN)/clustermass demo --out demo

bench: build
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python -m benchmarks.run

# REAL_DATA: the folder of public files that docs/real-data.md names; MOCK: observations that estimators learn from;
# MODELS: files of trained networks on galaxies.
real-clusters: build
	$(BIN)/python docs/results/make_real_clusters.py $(REAL_DATA) $(if $(MOCK),--mock $(MOCK)) $(if $(MODELS),--models $(MODELS))

CPP = $(shell find cpp cuda tests benchmarks -name '*.[ch]pp' -o -name '*.cu' -o -name '*.cuh')
lint: build
	ruff check .
	ruff format --check .
	mypy
	@echo clang-format && clang-format --dry-run --Werror $(CPP)

format: build
	ruff check --fix .
	ruff format .
	@clang-format -i $(CPP)

# C++ tests under the sanitizers for memory and undefined behaviour, then for threads.
sanitize: $(VENV)/.ready
	cmake --preset asan && cmake --build --preset asan && ctest --preset asan
	cmake --preset tsan && cmake --build --preset tsan && ctest --preset tsan

# Needs clang-tidy on the PATH.
tidy: $(VENV)/.ready
	cmake --preset tidy && cmake --build --preset tidy

cuda-check: $(VENV)/.ready
	cuda/check $(BIN)/python

# Where a GPU is: offline, with the packages that are there already (GPU_PYTHON=... for another Python than python3).
GPU_PYTHON ?= python3
gpu-check:
	$(GPU_PYTHON) cuda/gpu_check.py

clean:
	rm -rf build demo $(VENV)
	find . -name __pycache__ -prune -exec rm -rf {} +
