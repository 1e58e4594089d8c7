# The router beside nginx, haproxy and a bare proxy. SECONDS is the length of one measurement.
.PHONY: bench-router
bench-router:
	@command -v nginx >/dev/null && command -v haproxy >/dev/null || { echo "missing: nginx-light, haproxy — the peers of the benchmark"; \
	  apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends nginx-light haproxy; }
	cargo build --release -q --locked -p router --bins --example bench-router
	"$${CARGO_TARGET_DIR:-target}/release/examples/bench-router"
