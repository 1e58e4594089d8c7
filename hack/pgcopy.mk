# Figures of keelway-pgcopy beside its peers. SCALE=100 takes a tenth of the data.
.PHONY: bench-copy
bench-copy:
	cargo build --release -p pgcopy
	pgcopy/benches/copy.sh
