# Figures of the scaling law against its peers: prints them, writes target/bench/autoscale.json.
.PHONY: bench-autoscale
bench-autoscale:
	cargo run --release -q -p autoscale-sim -- compare --json target/bench/autoscale.json
