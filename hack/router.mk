# Tests of the router that need more than cargo brings along.
.PHONY: differential
differential: ## Nasty requests to nginx, haproxy and the router: what both refuse is not passed on
	@command -v nginx >/dev/null && command -v haproxy >/dev/null || { \
	  echo "missing: nginx-light, haproxy — what the router is compared with"; \
	  apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nginx-light haproxy; }
	cargo test -q --locked -p router --test differential -- --include-ignored --nocapture

.PHONY: h2spec
h2spec: ## How well the router keeps to HTTP/2, by h2spec's cases
	@hack/h2spec.sh

.PHONY: soak
soak: ## Ten minutes of connection churn (FOR=180 for three): memory stays, no request fails
	cargo build --release -q --locked -p router --bins --example soak
	"$${CARGO_TARGET_DIR:-target}/release/examples/soak" $(or $(FOR),600)
