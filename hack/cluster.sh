#!/usr/bin/env bash
# Builds keelway-cluster when its source changed, and runs it with the arguments given: hack/cluster.sh status
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=hack/settings.sh
. "$root/hack/settings.sh"

program="$KEELWAY_CACHE/bin/keelway-cluster"
(cd "$root/e2e/cluster" && CGO_ENABLED=0 GOWORK=off go build -buildvcs=false -trimpath -ldflags "-X main.root=$root" -o "$program" ./cmd/keelway-cluster)
exec "$program" "$@"
