# `make help` lists what there is; everything happens in .venv, with the versions of constraints.txt and the newest
# tried Python that has PyTorch; `make PYTHON=python3.12 install` names one.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/installed
FOOTAGE := demo_footage
# Tests of a file stay together, as they share what was made for them.
TESTS := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: help install demo test rounding docs lint types wheel clean

help:
	@echo "make install   the environment, in $(VENV)"
	@echo "make demo      draws footage, fits, infers, scores, and names a page to look at"
	@echo "make test      the tests"
	@echo "make rounding  trainings once more with another arithmetic, as on another processor"
	@echo "make docs      the documentation, as build/docs/index.html; works offline"
	@echo "make lint      style of the code"
	@echo "make types     types of the code"
	@echo "make wheel     builds the wheel and tries it in an empty environment and folder"
	@echo "make clean     removes the environment, the demo's footage and what was built"

install: $(READY)

$(READY): pyproject.toml constraints.txt tools/install.py
	python3 tools/install.py $(VENV) $(PYTHON:%=--python %)
	touch $(READY)

demo: install
	$(BIN)/python demo/run.py --out $(FOOTAGE)

test: install
	$(TESTS)

rounding: install
	ATEN_CPU_CAPABILITY=default $(TESTS) -q --other-precision tests/models/methods tests/models/networks \
		tests/pipeline/runs/test_fit_morph.py tests/pipeline/stages/test_train.py tests/pipeline/stages/test_refine.py

docs: install
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "open build/docs/index.html"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/python tools/check_types.py

wheel: install
	$(BIN)/python tools/smoke_wheel.py

clean:
	rm -rf $(VENV) $(FOOTAGE) build
