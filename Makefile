PYTHON ?= python3
BIN := .venv/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1
TOPROCK_SHARED ?= ../shared
JIGSAWS := --data $(TOPROCK_SHARED)/data/jigsaws --pairs $(TOPROCK_SHARED)/data/epic-skills

.PHONY: demo test test-long check format bench hardening sbom clean

demo: .venv/.runtime ## Render battles, learn, evaluate, and write a report
	$(BIN)/toprock demo --out demo

test: .venv/.tools ## Run the tests
	$(PYTEST) -m 'not long'

test-long: .venv/.tools ## Run those that take long: kills, storms, clusters, whole journeys
	$(PYTEST) -m long

check: .venv/.tools ## Lint, check types and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.tools ## Mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.tools ## Print every figure that the documents claim
	$(BIN)/python benchmarks/synthetic_controls.py
	$(BIN)/python benchmarks/synthetic.py
	$(BIN)/python benchmarks/beats.py
	$(BIN)/python benchmarks/extract_speed.py
	$(BIN)/python benchmarks/backbone_speed.py
	$(BIN)/python benchmarks/extract_memory.py
	$(BIN)/python benchmarks/store_index.py
	$(BIN)/python benchmarks/watch_delay.py
	$(BIN)/python benchmarks/pushups.py
	$(BIN)/toprock benchmark jigsaws $(JIGSAWS) --segments 12
	$(BIN)/toprock benchmark jigsaws $(JIGSAWS) --seeds 1 --ablate
	$(BIN)/python benchmarks/transfer.py
	$(BIN)/python benchmarks/train_speed.py --full
	$(BIN)/python benchmarks/pairing.py
	$(BIN)/python benchmarks/held_out.py --seeds 20 --signal 0 0.3 1
	$(BIN)/python benchmarks/room_speed.py
	$(BIN)/python benchmarks/room_load.py
	$(BIN)/python benchmarks/room_load.py --performances 500

hardening: .venv/.tools ## Try to break it, at length; writes docs/reliability.md
	-$(BIN)/python -m pip install --quiet atheris==3.0.0
	$(BIN)/python -m hardening

sbom: .venv/.tools ## Write docs/sbom.cdx.json: what toprock installs, and under which licences
	$(PYTHON) -m venv .venv/sbom
	.venv/sbom/bin/python -m pip install --quiet cyclonedx-bom==7.5.0
	.venv/sbom/bin/cyclonedx-py environment --output-reproducible --sv 1.6 -o .venv/sbom/all.json $(BIN)/python
	$(BIN)/python -m hardening.bill .venv/sbom/all.json docs/sbom.cdx.json

clean: ## Remove what make made
	rm -rf .venv demo benchmark-jigsaws .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/.runtime: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

.venv/.tools: .venv/.runtime
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	touch $@
