#!/usr/bin/env bash
# Runs every fuzz target for some seconds: hack/fuzz.sh [SECONDS] [TARGET…]. What was found interesting is kept in the
# cache and is where the next run begins; an input that fails is kept too, and printed.
# The flags are those of cargo-fuzz without a sanitizer, so a stable compiler does.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=settings.sh
. hack/settings.sh
seconds=${1:-10}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(scaling_law masking_policy masks router_host router_forwarded router_routes router_table router_proxy_protocol)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/fuzz"
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Ccodegen-units=1"
triple=$(rustc -vV | sed -n 's/^host: //p')
# With --target the flags do not reach build scripts and macros, which have no fuzzer to link to.
cargo build -q --release --locked --manifest-path fuzz/Cargo.toml --target "$triple"

for target in "${targets[@]}"; do
	corpus="$KEELWAY_CACHE/fuzz/$target"
	log=$(mktemp)
	mkdir -p "$corpus" target/fuzz-failures
	seeds=()
	[ -d "fuzz/seeds/$target" ] && seeds=("fuzz/seeds/$target")
	if ! "$CARGO_TARGET_DIR/$triple/release/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=16384 \
		-artifact_prefix="target/fuzz-failures/$target-" -print_final_stats=1 "$corpus" "${seeds[@]}" >"$log" 2>&1; then
		tail -n 40 "$log"
		echo "fuzz: $target failed; the input is in target/fuzz-failures" >&2
		rm -f "$log"
		exit 1
	fi
	echo "fuzz: $target $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, none failed"
	rm -f "$log"
done
