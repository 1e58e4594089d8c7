#!/usr/bin/env bash
# Licences, banned and doubled crates, sources; and advisories, as far as their database can be had.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# shellcheck source=hack/settings.sh
. hack/settings.sh
version=0.20.2
home="$KEELWAY_CACHE/cargo-deny-$version"
if [ ! -x "$home/bin/cargo-deny" ]; then
	echo "build cargo-deny $version (once)"
	cargo install -q cargo-deny --version "$version" --locked --root "$home" --target-dir "$home/target"
	rm -rf "$home/target"
fi
"$home/bin/cargo-deny" --log-level error check bans licenses sources
if timeout 60 "$home/bin/cargo-deny" --log-level error fetch db 2>/dev/null; then
	"$home/bin/cargo-deny" --log-level error check advisories
else
	echo "advisories: their database cannot be had from here, so they were not checked"
fi
