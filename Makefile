# make install | demo | test | lint | types; everything happens in .venv, with the versions of constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/installed
FOOTAGE := demo_footage

.PHONY: install demo test lint types clean

install: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) tools/install.py $(VENV)
	touch $(READY)

demo: install
	$(BIN)/python demo/run.py --out $(FOOTAGE)

test: install
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/python tools/check_types.py

clean:
	rm -rf $(VENV) $(FOOTAGE)
