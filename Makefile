# `make` prints what there is. Everything builds into $CARGO_TARGET_DIR (default: target), and installs what the tests
# need into $GYRE_TESTS_CACHE (default: ~/.cache/gyre-tests).

.DEFAULT_GOAL := help
.PHONY: help run check test-fast test nightly fix bench load load-redis fuzz docs

PYTHON ?= python3
CONFIG ?= deploy/dev/gyre.json
ARGS ?=

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## build and start gyre with a configuration for development (CONFIG=deploy/dev/gyre.json)
	cargo run --package gyre-standalone --bin gyre -- -c $(CONFIG)

check: ## formatting, tidy rules, lints, API documentation
	@$(PYTHON) tests/env/suite.py check

test-fast: ## unit, property and model tests; nothing to install
	@$(PYTHON) tests/env/suite.py test-fast

test: ## everything: installs what it needs, then test-fast, conformance and SDKs against the built binary
	@$(PYTHON) tests/env/suite.py test

nightly: ## a thousand random schedules of faults, faults on Redis 8 and Valkey, ten thousand seeds of the simulation
	@$(PYTHON) tests/env/suite.py nightly

fix: ## format, apply what clippy can fix by itself, make the reference pages again
	cargo fmt --all
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged -- -D warnings
	cargo run --quiet --package gyre-tidy --example codes > docs/reference/codes.md.new
	mv docs/reference/codes.md.new docs/reference/codes.md

bench: ## micro benchmarks of the crates (ARGS='name filter')
	cargo bench --workspace $(ARGS)

load: ## load generator against a release build (ARGS='--help', ARGS='fanout')
	cargo build --release --package gyre-standalone --package gyre-load
	$${CARGO_TARGET_DIR:-target}/release/gyre-load --server "$${CARGO_TARGET_DIR:-target}/release/gyre -c {config}" $(ARGS)

load-redis: ## publishing and delivering with the engine on Redis, beside the one in memory (ARGS='publish-history')
	cargo build --release --package gyre-standalone --package gyre-load
	@bin=$${CARGO_TARGET_DIR:-target}/release; for scenario in $(or $(ARGS),publish-history publish-grpc fanout-max many storm); do \
		$(PYTHON) tests/env/redis.py --costs $$bin/gyre-load --server "$$bin/gyre -c {config}" \
			--against "env GYRE_ENGINE_TYPE=memory $$bin/gyre -c {config}" $$scenario || exit 1; done

fuzz: ## run the fuzz targets over their corpora and mutations of them
	cargo test --package gyre-fuzz

docs: ## API documentation of the workspace
	cargo doc --workspace --no-deps
