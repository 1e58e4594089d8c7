#!/usr/bin/env bash
# The chart is well formed, its values are checked, and a wrong value is refused with words.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
hack/cluster.sh build helm >/dev/null
eval "$(hack/cluster.sh env)"
"$HELM" lint --quiet charts/keelway
for wrong in replicas=0 log.format=xml image.digest=latest nosuch=1 git.allowHttp=maybe router.publicUrl=apps.example.com router.serviceType=ExternalName; do
	if "$HELM" template keelway charts/keelway --set "$wrong" >/dev/null 2>&1; then
		echo "the chart takes --set $wrong and should not" >&2
		exit 1
	fi
done
kinds=$("$HELM" template keelway charts/keelway | grep -c '^kind: CustomResourceDefinition')
files=$(find crds/yaml -name '*.yaml' | wc -l)
[ "$kinds" = "$files" ] || { echo "the chart installs $kinds definitions of $files" >&2; exit 1; }
echo "chart: ok, $kinds definitions"
