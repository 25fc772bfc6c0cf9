# Every target makes its own virtualenv when there is none; VENV=... puts it elsewhere.
VENV ?= .venv
PYTHON ?= python3
RESULTS ?= results
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEARCH := $(BIN)/python -m tune_mnist
# Each of the many processes of a search or a test would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: search test lint docs format bench check browser mutate

search: $(STAMP) ## the main job on the embedded digits: SVM and ResNet trials, winner, page
	$(SEARCH) search svm --dataset digits --trials 24 --results $(RESULTS)
	$(SEARCH) search resnet --dataset digits --trials 4 --results $(RESULTS)
	$(SEARCH) leaderboard --dataset digits --results $(RESULTS)
	$(SEARCH) leaderboard --dataset digits --results $(RESULTS) --html $(RESULTS)/leaderboard.html

# Two processes, each with a Ray of its own; a file's tests share what they set up.
test: $(STAMP) browser ## the whole test suite, on real Ray, Parquet and Chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=25

lint: $(STAMP) ## format, lint, types, the rooms' borders, and pages that are not stale
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

docs: $(STAMP) ## write the pages of docs/ that are made from the code
	$(BIN)/python -m docs.generate

check: lint test

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP) ## the short form of every benchmark
	for claim in svm_grid resnet_step orchestration store end_to_end search_efficiency \
	    shared_prefixes bfloat16; do \
	  $(BIN)/python -m benchmarks.$$claim --short || exit 1; \
	done

# By hand, not in CI: it takes hours.
mutate: $(STAMP) ## change the code a little, again and again, and count what the tests notice
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,mutate]'
	nice -n 19 $(BIN)/python -m tests.mutation

# Debian's Chromium where we are root, else Playwright's own.
browser: $(STAMP)
	@command -v chromium >/dev/null || \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq chromium; \
	  else \
	    $(BIN)/python -m playwright install chromium; \
	  fi

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
