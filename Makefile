# make build | demo | test | test-long | fuzz | bench | bench-stages | bench-growth | lint | fmt
#
# Each target installs the Debian packages it needs and lacks (scripts/packages). CARGO_TARGET_DIR is respected.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

CARGO  ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
VENV   := $(TARGET)/test-venv
NPM    := $(TARGET)/test-node
PEERS  := $(TARGET)/bench-venv
NODE   := $(TARGET)/bench-node

.PHONY: build demo test test-long bench bench-stages bench-growth lint fmt packages-build packages-test packages-bench fuzz

packages-build:
	@scripts/packages build

packages-test:
	@scripts/packages test

packages-bench:
	@scripts/packages bench

## The release binary.
build: packages-build
	$(CARGO) build --release --locked
	@echo "Built $(TARGET)/release/nightdrop"

## A night in one command: sealed sample files in, answers out, in a new directory.
demo: build
	$(TARGET)/release/nightdrop demo

# What the tests use of Python, in a place of its own.
$(VENV)/.made: tests/requirements.txt | packages-test
	rm -rf $(VENV)
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement tests/requirements.txt
	touch $@

# What they use of Node: senders' libraries, at the versions and digests of the lock file.
$(NPM)/.made: tests/interop/package.json tests/interop/package-lock.json | packages-test
	rm -rf $(NPM)
	mkdir -p $(NPM)
	cp $^ $(NPM)
	npm ci --prefix $(NPM) --ignore-scripts --no-audit --no-fund --silent
	touch $@

## All tests.
test: packages-test $(VENV)/.made $(NPM)/.made
	$(CARGO) test --workspace --locked
	$(CARGO) test --locked --features faults --test faults

## The campaigns at full size: 300 kills, a million records, 200 broken lines, 10 000 swaps, 10 000 damaged files of each kind; how long
## failed decryptions take; and the whole suite once more under strace, each run held
## against what the systemd unit allows. On the release build; minutes, once that is built.
test-long: packages-test $(VENV)/.made $(NPM)/.made
	NIGHTDROP_TEST_LONG=1 $(CARGO) test --release --locked --test suite -- --nocapture --test-threads 1 crash:: large:: mutations:: gate::large swaps:: odd_things:: bombs:: d1_batch::memory uploads:: sftp_client::cuts sources::faults:: sources::kills::
	env -u RUST_BACKTRACE -u RUST_LIB_BACKTRACE NIGHTDROP_TEST_LONG=1 $(CARGO) test --release --locked --lib -- --nocapture --test-threads 1 open::tests::uniform open::tests::mutation
	NIGHTDROP_TEST_STRACE=1 $(CARGO) test --release --locked --test suite -- --skip large::

# What is compared with in Python, in a place of its own.
$(PEERS)/.made: benches/peers/requirements.txt | packages-bench
	rm -rf $(PEERS)
	python3 -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --requirement benches/peers/requirements.txt
	touch $@

# The same in Node; its SQLite is compiled on the spot where no binary of it can be had, from the headers beside node.
$(NODE)/.made: benches/peers/package.json benches/peers/package-lock.json | packages-bench
	mkdir -p $(NODE)
	cp benches/peers/package.json benches/peers/package-lock.json $(NODE)
	headers=$$(dirname "$$(dirname "$$(readlink -f "$$(command -v node)")")"); \
	if [ -e "$$headers/include/node/node.h" ]; then export npm_config_nodedir="$$headers"; fi; \
	npm ci --prefix $(NODE) --no-audit --no-fund --loglevel=error
	touch $@

## The stages one by one, by criterion.
bench-stages: packages-bench
	$(CARGO) bench --locked --bench stages -- --noplot
	python3 benches/stage_sum.py --target $(TARGET)

## A million records from sealed file to answer, beside `sqlite3 .import`, Python and Node, five rounds, in turn; then service by
## service, many small files, one small file. Figures in TARGET/bench. BENCH takes options:
## make bench BENCH="whole --records 100000 --rounds 3 --only nightdrop,import". The stages come first, unless options are given.
bench: $(if $(BENCH),,bench-stages) build packages-bench $(PEERS)/.made $(NODE)/.made
	python3 benches/whole.py --target $(TARGET) $(or $(BENCH),whole services small one)

## A million records onto a register that holds up to ten million. Long, and takes 10 GiB below TARGET/bench.
bench-growth: build packages-bench $(PEERS)/.made $(NODE)/.made
	python3 benches/whole.py --target $(TARGET) growth --rounds 3 $(BENCH)

## Fuzzes each target for FUZZ_SECONDS; their checks and the kept corpus are in tests/replay, which `make test` plays.
fuzz: packages-build
	@scripts/fuzz $(or $(FUZZ_SECONDS),60) $(FUZZ)

## Format, clippy, documentation, licences and sources of dependencies, advisories.
lint: packages-build
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --workspace --all-targets --locked --features faults -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	@$(CARGO) deny --version >/dev/null 2>&1 || { echo "Installing cargo-deny (once, some minutes) ..."; $(CARGO) install --locked --quiet cargo-deny; }
	$(CARGO) fetch --locked
	$(CARGO) deny --offline --locked check licenses bans sources
	@if timeout 120 $(CARGO) deny --locked fetch db >/dev/null 2>&1; then \
		$(CARGO) deny --offline --locked check advisories; \
	else \
		echo "SKIPPED: advisories. The advisory list cannot be had from here; licences, bans and sources were checked."; \
	fi

fmt:
	$(CARGO) fmt --all
