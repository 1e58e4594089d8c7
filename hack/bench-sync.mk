# How fast a commit becomes what the cluster runs. APPS, ROUNDS and CHANGES make it smaller.
.PHONY: bench-sync
bench-sync: cluster
	@PROFILE=release hack/install.sh --set replicas=1
	@eval "$$(hack/cluster.sh env)"; cargo run -q --release --locked -p e2e --bin bench-sync
