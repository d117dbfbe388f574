# Every target wraps one command of the installed `manyheads`; `make help` explains.
.DEFAULT_GOAL := help

PYTHON  ?= python3
HEAD    ?=
PRESET  ?=
CACHE   ?= cache
RUNS    ?= runs
RUN     ?= latest
DATA    ?=
ENCODER ?=
ENCODERS ?= all-MiniLM-L6-v2
LAYOUT  ?=
BUDGET  ?=
SEED    ?=
SEEDS   ?=
FOLDS   ?=
TEXT    ?=
OUT     ?=
FORMAT  ?= npy
ARGS    ?=
WORKERS ?= 2

VENV := .venv/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
INSTALL := .venv/bin/python -m pip install --quiet $(INSTALL_OPTIONS) -c constraints.txt
MANYHEADS := .venv/bin/manyheads
ENCODING  := $(if $(ENCODER),--encoder "$(ENCODER)") $(if $(LAYOUT),--layout "$(LAYOUT)") --cache "$(CACHE)"
CORPUS    := $(if $(DATA),--data "$(DATA)")

export TEXT

# So that the command to go on with is shown as make takes it.
train search predict audit layers lr-range blend doctor: export MANYHEADS_MAKE := 1

.PHONY: help features audit layers encoders lr-range train search runs compare report doctor show blend predict serve heads export export-model verify cache compact collect test test-all bench lint clean

help:  ## show this help
	@echo "make TARGET [VARIABLE=value ...]"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /|/' | awk -F'|' '{printf "  %-13s %s\n", $$1, $$2}'
	@echo "Variables:"
	@echo "  DATA      labelled texts: CSV, TSV, JSON Lines, Parquet, here or s3://..., or hub:owner/name"
	@echo "            (default: examples/emotions.csv)"
	@echo "  HEAD      the classifier: logistic, cnn, lstm ... (default: logistic; lr-range and layers:"
	@echo "            cnn); make heads lists all, make heads HEAD=cnn the settings of one"
	@echo "  PRESET    a published system, such as A1 or B3 (make heads HEAD=presets lists all)"
	@echo "  ENCODER   a folder or a hub id (default: the embedded all-MiniLM-L6-v2)"
	@echo "  ENCODERS  for encoders: the encoders to compare, two or more"
	@echo "  LAYOUT    pooled, tokens or sentences (default: the head's natural one; features: the first two)"
	@echo "  CACHE     the feature store, here or s3://... (default: $(CACHE))"
	@echo "  RUNS      where run folders stand (default: $(RUNS))"
	@echo "  BUDGET    for search: how long, such as 10m or 1h (default: 10m)"
	@echo "  SEED      the seed of the training (default: 0)"
	@echo "  SEEDS     how many seeds to train with; reports mean and spread (default: 1)"
	@echo "  FOLDS     divide the texts into so many folds and test each once (default: one split)"
	@echo "  RUN       for show, report, doctor, predict, serve and export-model: a run (default: the latest); for blend and"
	@echo "            compare: several; report takes two as well, or a study"
	@echo "  TEXT      for predict: a text"
	@echo "  OUT       for export, export-model and report: where to write"
	@echo "  FORMAT    for export: npy, arrow, parquet or hf"
	@echo "  WORKERS   how many processes run the tests (default: $(WORKERS))"
	@echo "  ARGS      more options of the command, such as ARGS=\"--set units=64\""
	@echo "Every target but test, lint, bench and clean is a command of manyheads, too; to type these:"
	@echo "  source .venv/bin/activate && manyheads --help"

features: .venv/.runtime  ## encode a corpus once
	$(MANYHEADS) features $(CORPUS) $(ENCODING) $(ARGS)

audit: .venv/.runtime  ## find copies, leaks, label errors and more in DATA; writes audit.html
	$(MANYHEADS) audit $(CORPUS) $(if $(ENCODER),--encoder "$(ENCODER)") --cache "$(CACHE)" $(ARGS)

lr-range: .venv/.runtime  ## find the learning rate for HEAD (here cnn by default); writes lr-range.png
	$(MANYHEADS) lr-range $(if $(HEAD),--head "$(HEAD)") $(if $(PRESET),--preset "$(PRESET)") $(CORPUS) $(ENCODING) $(if $(SEED),--seed $(SEED)) $(ARGS)

layers: .venv/.runtime  ## compare the encoder's layers on a sample of DATA; writes layers.png
	$(MANYHEADS) layers $(CORPUS) $(if $(HEAD),--head "$(HEAD)") $(if $(ENCODER),--encoder "$(ENCODER)") --cache "$(CACHE)" $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

encoders: .venv/.runtime  ## compare the encoders named in ENCODERS="NAME NAME" on a sample of DATA
	$(MANYHEADS) encoders $(CORPUS) $(foreach name,$(ENCODERS),--encoder "$(name)") --cache "$(CACHE)" $(if $(HEAD),--head "$(HEAD)") $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

train: .venv/.runtime  ## train a head on cached vectors, encoding what is missing
	$(MANYHEADS) train $(if $(HEAD),--head "$(HEAD)") $(if $(PRESET),--preset "$(PRESET)") $(CORPUS) $(ENCODING) --runs "$(RUNS)" $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FOLDS),--folds $(FOLDS)) $(ARGS)

search: .venv/.search  ## find the best head and settings for DATA that BUDGET allows, such as 10m
	$(MANYHEADS) search $(CORPUS) $(if $(HEAD),--heads "$(HEAD)") $(ENCODING) --runs "$(RUNS)" $(if $(BUDGET),--budget "$(BUDGET)") $(if $(SEED),--seed $(SEED)) $(ARGS)

runs: .venv/.runtime  ## list the runs with their scores; with DATA or HEAD only those
	@$(MANYHEADS) runs $(CORPUS) $(if $(HEAD),--head "$(HEAD)") --runs "$(RUNS)" $(ARGS)

compare: .venv/.runtime  ## compare the runs named in RUN="NAME NAME ..."; without RUN all on the newest data
	@$(MANYHEADS) compare $(filter-out latest,$(RUN)) --runs "$(RUNS)" $(ARGS)

report: .venv/.runtime  ## write RUN, or two runs side by side, as a page for the browser; to OUT
	@$(MANYHEADS) report $(RUN) --runs "$(RUNS)" $(if $(OUT),--out "$(OUT)") $(ARGS)

doctor: .venv/.runtime  ## say why the head of RUN does not learn, and prove it
	@$(MANYHEADS) doctor "$(RUN)" --runs "$(RUNS)" $(ARGS)

show: .venv/.runtime  ## say what RUN is, what its files are for and what to do next
	@$(MANYHEADS) show "$(RUN)" --runs "$(RUNS)" $(ARGS)

blend: .venv/.runtime  ## make one run of several, named in RUN="NAME NAME ...": the mean of what they say
	$(MANYHEADS) blend $(RUN) --runs "$(RUNS)" $(ARGS)

predict: .venv/.runtime  ## label TEXT, or a file of texts in DATA
	@$(MANYHEADS) predict "$(RUN)" --runs "$(RUNS)" --cache "$(CACHE)" $(if $(ENCODER),--encoder "$(ENCODER)") $(if $(DATA),--data "$(DATA)",--text "$$TEXT") $(ARGS)

serve: .venv/.serve  ## answer texts over HTTP with RUN, and on a page
	@$(MANYHEADS) serve "$(RUN)" --runs "$(RUNS)" --cache "$(CACHE)" $(if $(ENCODER),--encoder "$(ENCODER)") $(ARGS)

heads: .venv/.runtime  ## list the heads, or the settings of HEAD
	@$(MANYHEADS) heads $(HEAD) $(ARGS)

export: .venv/.runtime  ## write the vectors of DATA to OUT, in FORMAT: npy, arrow, parquet or hf
	$(MANYHEADS) export $(CORPUS) $(ENCODING) --format "$(FORMAT)" --out "$(or $(OUT),vectors.npy)" $(ARGS)

export-model: .venv/.onnx  ## write RUN as one folder, OUT (default: model): ONNX, labels, model card
	@$(MANYHEADS) export-model "$(RUN)" --runs "$(RUNS)" --out "$(or $(OUT),model)" $(ARGS)

verify: .venv/.runtime  ## check every file of the cache; ARGS=--fix moves away what is bad
	@$(MANYHEADS) verify --cache "$(CACHE)" $(CORPUS) $(if $(ENCODER),--encoder "$(ENCODER)") $(ARGS)

cache: .venv/.runtime  ## list what the cache holds
	@$(MANYHEADS) cache --cache "$(CACHE)" $(ARGS)

compact: .venv/.runtime  ## join small shards of the cache
	@$(MANYHEADS) compact --cache "$(CACHE)" $(ARGS)

collect: .venv/.runtime  ## show what no DATA needs; ARGS=--yes removes it from the cache
	@$(MANYHEADS) collect --cache "$(CACHE)" $(CORPUS) $(ARGS)

# worksteal: each process gets the modules of one half, in order, so that what a module's tests
# share is built once; at the end, one that is done takes over tests of another.
test: .venv/.development  ## run the tests, in WORKERS processes; ARGS=tests/x.py runs some
	.venv/bin/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

test-all: .venv/.development  ## run the slow tests too, before a release
	.venv/bin/python -m pytest -n $(WORKERS) --dist worksteal -m "slow or not slow" $(ARGS)

lint: .venv/.development  ## style, types and import rules
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: .venv/.bench  ## measure speed against the alternatives, in one run
	.venv/bin/python -m benchmarks $(ARGS)

clean:  ## remove the virtual environment; caches and runs stay
	rm -rf .venv

.venv/.runtime: pyproject.toml constraints.txt
	$(VENV)
	$(INSTALL) -e .
	@touch $@

.venv/.onnx: .venv/.runtime
	$(INSTALL) -e ".[onnx]"
	@touch $@

.venv/.search: .venv/.runtime
	$(INSTALL) -e ".[search]"
	@touch $@

.venv/.serve: .venv/.runtime
	$(INSTALL) -e ".[serve]"
	@touch $@

# Not after .runtime: to install everything at once is quicker, and then that is made too.
.venv/.development: pyproject.toml constraints.txt
	$(VENV)
	$(INSTALL) -e ".[dev]"
	@touch .venv/.runtime
	@touch $@

# embetter without what it asks for: its cache needs only diskcache, and the rest is large.
.venv/.bench: .venv/.development
	$(INSTALL) --no-deps embetter diskcache
	rm -rf .venv/lib/python*/site-packages/tests  # embetter's, which would hide ours
	$(INSTALL) keras pytorch-lightning
	@touch $@
