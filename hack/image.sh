#!/usr/bin/env bash
# Builds the operator's image from the Dockerfile and pushes it: REGISTRY=registry.example.com/acme hack/image.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
: "${REGISTRY:?say where the image goes: make image REGISTRY=registry.example.com/acme}"
tag=${TAG:-$(git describe --tags --always --dirty)}
for tool in docker podman buildah; do
	if command -v "$tool" >/dev/null 2>&1; then
		"$tool" build -t "$REGISTRY/keelway:$tag" .
		"$tool" push "$REGISTRY/keelway:$tag"
		echo "helm install keelway charts/keelway --namespace keelway-system --create-namespace --set image.repository=$REGISTRY/keelway --set image.tag=$tag"
		exit 0
	fi
done
echo "none of docker, podman and buildah is here; install one of them" >&2
exit 1
