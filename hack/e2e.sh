#!/usr/bin/env bash
# The tests on a real cluster: starts the local one if need be, installs Keelway, runs the tests of the crate e2e.
# Arguments go to cargo test, as in: hack/e2e.sh --test spine
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
make -s cluster
eval "$("$root/hack/cluster.sh" env)"
"$root/hack/install.sh"
if ! cargo test --locked -p e2e "$@"; then
	echo "--- the operator's last words" >&2
	kubectl logs -n keelway-system -l app.kubernetes.io/component=operator --tail 60 --prefix >&2 || true
	# kubectl looks a category up in its cache only, which may be older than the kinds.
	kubectl api-resources --api-group=keelway.dev --cached=false >/dev/null 2>&1 || true
	kubectl get keelway -A >&2 || true
	exit 1
fi
# Only all tests together use all that is granted.
if [ "$#" -eq 0 ]; then
	cargo run -q --locked -p e2e --bin rights
fi
