# One command for each habit; CI calls only these. `make` alone prints this list.

CARGO ?= cargo
DIR ?= var
# cargo-nextest where it is there, else cargo test.
NEXTEST := $(shell $(CARGO) nextest --version >/dev/null 2>&1 && echo yes)

.PHONY: help run test check format clippy doc unit bench fuzz deny advisories clean

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

run: ## install what is missing, build, make an installation in DIR (default var) and start it
	@scripts/install.sh run
	$(CARGO) build --release --locked
	@if [ ! -e "$(DIR)/noonmark.toml" ]; then target/release/noonmark init --dir "$(DIR)"; fi
	exec target/release/noonmark up --dir "$(DIR)"

test: ## install what is missing, then everything: format, clippy, rustdoc, all tests
	@scripts/install.sh test
	@scripts/venv.sh
	$(MAKE) format clippy doc unit

check: format clippy ## the quick checks

format: ## rustfmt, nothing changed
	$(CARGO) fmt --all --check

clippy: ## clippy over everything, warnings are errors
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

doc: ## rustdoc, warnings are errors
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked --quiet

unit: ## every test
ifeq ($(NEXTEST),yes)
	$(CARGO) nextest run --workspace --locked --no-fail-fast
else
	$(CARGO) test --workspace --locked --no-fail-fast
endif

bench: ## the parts by criterion, tokens beside OpenSSL and pyHanko, the whole by wrk; writes target/bench/
	@scripts/install.sh bench
	$(CARGO) bench --locked

fuzz: ## each fuzz target for FUZZ_SECONDS (default 60); needs cargo-fuzz and a nightly or RUSTC_BOOTSTRAP=1
	scripts/fuzz.sh $${FUZZ_SECONDS:-60}

deny: ## licences, bans and sources of the dependencies
	$(CARGO) deny check bans licenses sources

advisories: ## known vulnerabilities in the dependencies; needs the advisory database's host
	$(CARGO) deny check advisories

clean: ## what was built; installations stay
	$(CARGO) clean
