#!/usr/bin/env bash
# Proves that a start succeeds over whatever a killed run left: kills starts of the cluster, and running clusters, at
# random moments with SIGKILL, and starts it again each time. Ends the cluster that runs now. Usage: cluster-recovery.sh [ROUNDS]
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# shellcheck source=hack/settings.sh
. hack/settings.sh
rounds=${1:-5}
hack/cluster.sh down --verify
program="$KEELWAY_CACHE/bin/keelway-cluster"
slowest=0
for round in $(seq "$rounds"); do
	"$program" up >/dev/null 2>&1 &
	starter=$!
	# Between 0.3 and 25.3 seconds: from an empty state folder to a cluster that is up.
	sleep "$((RANDOM % 26)).3"
	state=$([ -e "$KEELWAY_STATE/ready" ] && echo "running" || echo "starting")
	kill -9 "$starter" 2>/dev/null || true
	wait "$starter" 2>/dev/null || true
	killed=0
	for file in "$KEELWAY_STATE"/run/*.pid; do
		# Some of the components, not all: the others are found alive by the next start.
		if [ -e "$file" ] && [ "$((RANDOM % 3))" -gt 0 ] && kill -9 "$(cat "$file")" 2>/dev/null; then
			killed=$((killed + 1))
		fi
	done
	# What a crash may leave half-written.
	for file in ready sysctls-before.json created-folders pki/ca.key; do
		if [ -e "$KEELWAY_STATE/$file" ] && [ "$((RANDOM % 4))" -eq 0 ]; then
			: >"$KEELWAY_STATE/$file"
		fi
	done
	begin=$(date +%s)
	if ! "$program" up >"$KEELWAY_CACHE/recovery.log" 2>&1; then
		cat "$KEELWAY_CACHE/recovery.log" >&2
		echo "round $round: the start failed" >&2
		exit 1
	fi
	took=$(($(date +%s) - begin))
	slowest=$((took > slowest ? took : slowest))
	echo "round $round: killed while $state, $killed components; started again in $took s"
	if [ "$((RANDOM % 2))" -eq 0 ]; then
		"$program" down --verify 2>/dev/null
	fi
done
"$program" down --verify
echo "cluster-recovery: $rounds/$rounds started again, slowest $slowest s"
