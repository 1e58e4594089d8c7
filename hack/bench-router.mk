# The router beside nginx, haproxy and a bare proxy, then behind a real API server. SECONDS is the length of one measurement.
.PHONY: bench-router
bench-router:
	@command -v nginx >/dev/null && command -v haproxy >/dev/null && command -v h2load >/dev/null || { \
	  echo "missing: nginx-light, haproxy, nghttp2-client — the peers of the benchmark, and a load over HTTP/2"; \
	  apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nginx-light haproxy nghttp2-client; }
	cargo build --release -q --locked -p router --bins --example bench-router
	"$${CARGO_TARGET_DIR:-target}/release/examples/bench-router"
	@$(MAKE) --no-print-directory cluster
	@eval "$$(hack/cluster.sh env)"; installed=$$(kubectl get deployment keelway -n keelway-system -o name 2>/dev/null || true); \
	  [ -n "$$installed" ] || kubectl apply --server-side -f crds/yaml >/dev/null; \
	  ROUTER="$${CARGO_TARGET_DIR:-target}/release/keelway-router" cargo run -q --release --locked -p e2e --bin router-effect; code=$$?; \
	  [ -n "$$installed" ] || kubectl delete -f crds/yaml --wait=false >/dev/null; exit $$code
