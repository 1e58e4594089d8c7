#!/usr/bin/env bash
# Builds the image of the operator and the router, pushes it to the local registry and installs the chart into the cluster of KUBECONFIG.
# Arguments go to helm, as in: hack/install.sh --set replicas=1. PROFILE=release builds what is measured; the default is quicker to build.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
eval "$("$root/hack/cluster.sh" env)"
target=${CARGO_TARGET_DIR:-$root/target}

say() { printf '%s\n' "$*" >&2; }

profile=${PROFILE:-dev}
folder=$profile
[ "$profile" != dev ] || folder=debug
say "build the operator and the router ($profile)"
cargo build --profile "$profile" --locked -q -p operator -p router
say "push its image to $REGISTRY"
digest=$("$root/hack/cluster.sh" image --name keelway/operator --tag dev --base glibc \
	--add "$target/$folder/keelway-operator:/usr/local/bin/keelway-operator" \
	--add "$target/$folder/keelway-router:/usr/local/bin/keelway-router" \
	--entrypoint /usr/local/bin/keelway-operator --user 65532 | grep -o 'sha256:[0-9a-f]*' | tail -n 1)
say "install the chart"
"$HELM" upgrade --install keelway charts/keelway --namespace keelway-system --create-namespace --wait --timeout 3m \
	--set "image.repository=$REGISTRY/keelway/operator" --set "image.digest=$digest" \
	--set "git.allowedAddresses={$NODE_IP/32}" --set "insecureRegistries={$REGISTRY}" \
	--set "router.publicUrl=http://localhost:$FRONT_PORT,router.serviceType=NodePort,router.nodePort=$FRONT_NODE_PORT" "$@" >&2
