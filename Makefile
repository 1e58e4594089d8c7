# What can be done here: `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The flags of hack/cluster.sh, so that its build and the checks share compiled packages.
export CGO_ENABLED := 0
export GOFLAGS := -trimpath

# The crates whose tests need neither a cluster nor a Postgres.
UNIT := --workspace --exclude e2e --exclude pgcopy

help: ## Show this help
	@grep -hE '^[a-z0-9-]+:.* ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.* ## /\1\t/' | expand -t 16

test: lint unit differential h2spec test-pgcopy generated chart deny purity fuzz e2e trials ## Everything that must hold

lint: ## Formatting and lints
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -q -- -D warnings
	cd e2e/cluster && test -z "$$(gofmt -l .)" && go vet ./...
	cd e2e/crdcheck && test -z "$$(gofmt -l .)" && go vet ./...

unit: ## Tests that need no cluster
	cargo test --locked $(UNIT)
	cd e2e/crdcheck && go test ./...
	cd e2e/cluster && go test ./...

test-pgcopy: ## Tests of pgcopy on real Postgres servers
	cargo test --locked -p pgcopy

fuzz: ## Seconds of fuzzing for each target: make fuzz FOR=60
	hack/fuzz.sh $(or $(FOR),10)

purity: ## The rules depend on no runtime
	@for crate in crds plan autoscale masking; do \
	  if cargo tree --locked -p $$crate -e normal -i tokio 2>/dev/null | grep -q .; then echo "$$crate depends on tokio; rules are pure" >&2; exit 1; fi; \
	done; echo "crds, plan, autoscale, masking: no runtime"

generate: ## Write the CRDs, roles, the chart's schema, the reference and manifests/install.yaml
	cargo run -q --locked -p generate
	hack/manifests.sh

generated: generate ## Fail if a generated file is out of date
	@test -z "$$(git status --porcelain -- crds/yaml charts docs/reference manifests)" || { git status --short -- crds/yaml charts docs/reference manifests; git --no-pager diff --stat -- crds/yaml charts docs/reference manifests; echo "commit what make generate wrote" >&2; exit 1; }

chart: ## Check the chart
	hack/chart.sh

deny: ## Licences, banned crates, sources, advisories
	hack/deny.sh

demo: ## Show it: cluster, operator, git host and an example app (CLUSTER=current: in the cluster of your kubeconfig)
	@hack/deps.sh
	@hack/cluster.sh build
	@hack/cluster.sh demo --cluster "$(or $(CLUSTER),local)"

cluster: ## Start the local Kubernetes cluster (builds it the first time)
	@hack/deps.sh
	@hack/cluster.sh build
	@hack/cluster.sh up
	@echo 'To use it: eval "$$(hack/cluster.sh env)"'

cluster-down: ## End the local cluster; leaves no process, mount, interface or rule behind
	@hack/cluster.sh down --verify

e2e: ## Tests on the real cluster
	hack/e2e.sh

trials: ## Crashes, lost leases and planted bugs: a part of each, another one each time
	@hack/deps.sh
	@hack/cluster.sh build
	@$(MAKE) -s crash-matrix-tenth engine-trials crash-matrix-seeded
	@$(MAKE) -s lease-trials TRIALS=20

image: ## Build and push the operator's image: make image REGISTRY=registry.example.com/acme
	hack/image.sh

bench: bench-sync bench-router bench-copy bench-autoscale ## All figures

include $(wildcard hack/*.mk)

.PHONY: help demo test lint unit test-pgcopy fuzz purity generate generated chart deny cluster cluster-down e2e trials image bench
