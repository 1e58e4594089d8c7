#!/usr/bin/env bash
# How well the router keeps to HTTP/2: builds h2spec (once, kept in the cache under what pins it) and runs the test that
# sends its cases to the router.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=settings.sh
. hack/settings.sh
key=$(cat hack/h2spec/go.mod hack/h2spec/go.sum | sha256sum | cut -c -16)
program="$KEELWAY_CACHE/h2spec-$key/h2spec"
if [ ! -x "$program" ]; then
	command -v go >/dev/null 2>&1 || { echo "missing: go — install it from https://go.dev/dl (1.26 or newer) and run this again" >&2; exit 1; }
	echo "build h2spec (once)"
	mkdir -p "$(dirname "$program")"
	(cd hack/h2spec && go build -o "$program.new" github.com/summerwind/h2spec/cmd/h2spec)
	mv "$program.new" "$program"
fi
KEELWAY_H2SPEC="$program" cargo test -q --locked -p router --test h2spec -- --include-ignored --nocapture
