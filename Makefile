# Every target brings up .venv by itself from the hashed lock file; nothing is installed twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test prove soak lint bench bench-full lock clean

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …" >&2; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# pdqhash is built here, and needs a C++ compiler and Python's headers.
$(VENV)/.proving: $(STAMP) requirements/build.txt requirements/prove.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/build.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-build-isolation --requirement requirements/prove.txt
	@touch $@

demo: $(STAMP)
	$(BIN)/monitor demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not prove and not soak"

prove: $(VENV)/.proving
	$(BIN)/python -m pytest -n 2 --dist worksteal -m prove

# Tens of thousands of kills and power cuts: half an hour or more.
soak: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m soak

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/unit/test_house.py

# The peers are installed first.
$(VENV)/.benching: $(STAMP) requirements/build.txt requirements/bench.txt
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/build.txt
	$(BIN)/python -m pip install --quiet --require-hashes --no-build-isolation --requirement requirements/bench.txt
	@touch $@

bench: $(VENV)/.benching
	$(BIN)/python -m benchmarks

# Ten million hashes: some ten minutes, and 8 GB of memory for the peers.
bench-full: $(VENV)/.benching
	$(BIN)/python -m benchmarks --full

# Resolves again for every supported Python; needs uv. The locks hold hashes, no address and no path.
LOCK := uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	--custom-compile-command "make lock" --python-version 3.11
lock:
	$(LOCK) --extra export --extra timestamp --group dev pyproject.toml --output-file requirements/dev.txt
	$(LOCK) --group build --constraint requirements/dev.txt --output-file requirements/build.txt
	$(LOCK) --group prove --constraint requirements/dev.txt --output-file requirements/prove.txt
	$(LOCK) --group bench --constraint requirements/dev.txt --output-file requirements/bench.txt

clean:
	rm -rf $(VENV) demo-output
