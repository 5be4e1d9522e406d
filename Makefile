# make demo and make test each work as the very first command on a machine with Python 3.11+.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint docs examples bench wheels clean docs/demo.md docs/one-step.md docs/comparison.md docs/outliers.md docs/components.md

setup: .venv/dev

# The demo needs a part of what the tests need: what is installed is noted by its extra.
.venv/%: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "linearizer needs Python 3.11 or later; run make PYTHON=python3.x")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$*]'
	touch $@

demo: .venv/train
	$(BIN)/linearizer demo --overwrite

test: setup
	$(BIN)/python -m pytest -n auto

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: setup
	$(BIN)/python docs/build_pages.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open site/index.html in a browser; it needs no server, and neither does its search"

bench: setup
	$(BIN)/python benchmarks/bijections.py --out docs/bijections.md
	$(BIN)/python benchmarks/one_step.py --out docs/one-step-benchmark.md

docs/demo.md: setup
	$(BIN)/python benchmarks/demo_page.py --run runs/demo --out docs

docs/one-step.md: setup
	$(BIN)/python benchmarks/one_step_page.py --out docs $(if $(FACES),--faces $(FACES)) $(if $(MNIST),--data-dir $(MNIST))

docs/comparison.md: setup
	$(BIN)/python benchmarks/comparison.py

# The core, and the weights that it loads by name; build/ would bring in what is no longer there.
wheels: setup
	rm -rf build/lib weights/build dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist . ./weights

docs/outliers.md: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement benchmarks/tables-peers.txt
	$(BIN)/python benchmarks/outliers.py --data $(ADBENCH)

docs/components.md: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --requirement benchmarks/tables-peers.txt
	$(BIN)/python benchmarks/components.py --data $(ADBENCH)

examples: setup
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace examples/*.ipynb

clean:
	rm -rf .venv build/pages site dist weights/build .pytest_cache .hypothesis .mypy_cache .ruff_cache
