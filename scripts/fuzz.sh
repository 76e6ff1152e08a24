#!/bin/sh
# Fuzzes every target for the given number of seconds (default 60), from the committed seeds.
# Needs cargo-fuzz (`cargo install cargo-fuzz`); RUSTC_BOOTSTRAP lets a stable toolchain build the sanitizers.
set -eu
cd "$(dirname "$0")/../fuzz"
seconds=${1:-60}
for target in timestamp_request timestamp_response certificate key_uri ocsp_request signing_request certificate_import crl_reader strange_certificate judge cms document evidence_file; do
    mkdir -p "corpus/$target"
    RUSTC_BOOTSTRAP=1 cargo fuzz run "$target" "corpus/$target" "seeds/$target" -- -max_total_time="$seconds" -max_len=16384
done
