# The crash matrix and the lease trials. Both bring a control plane of their own from what `make cluster` built.

CRASH_CARGO_TARGET := $(or $(CARGO_TARGET_DIR),target)
CRASH_OPERATOR := $(CRASH_CARGO_TARGET)/debug/keelway-operator
CRASH_MATRIX := $(CRASH_CARGO_TARGET)/debug/crash-matrix --operator $(CRASH_OPERATOR)
SEEDED_OPERATOR := $(CRASH_CARGO_TARGET)/seeded-operator


.PHONY: engine-trials crash-matrix crash-matrix-tenth crash-matrix-seeded lease-trials crash-programs

crash-programs:
	@cargo build -q -p operator -p crash-matrix

crash-matrix: crash-programs ## End the operator at every one of its writes; all must converge (up to 40 min)
	@$(CRASH_MATRIX)

crash-matrix-tenth: crash-programs ## A tenth of the crash matrix, another one each time (TENTH=0…9 for a certain one)
	@$(CRASH_MATRIX) --tenth $(or $(TENTH),$(shell date +%M))

# The feature stays out of the operator that is tested otherwise, hence a copy.
crash-matrix-seeded: crash-programs ## Show that planted bugs turn the crash matrix and the lease trials red
	@cargo build -q -p operator --features seeded-bugs
	@cp $(CRASH_OPERATOR) $(SEEDED_OPERATOR)
	@cargo build -q -p operator
	@for bug in inventory-late random-name delete-without-uid; do \
		$(CRASH_CARGO_TARGET)/debug/crash-matrix --operator $(SEEDED_OPERATOR) --scenario overtaken --bug $$bug --expect-red \
			|| { echo "the crash matrix does not find the planted bug $$bug"; exit 1; }; \
		echo "crash-matrix finds the planted bug $$bug"; \
	done
# A run that failed for another reason found nothing: the late writes must have been counted.
	@said=$$($(CRASH_CARGO_TARGET)/debug/lease-trials --operator $(SEEDED_OPERATOR) --bug no-fence --trials 20 || true); echo "$$said"; \
		grep -q ', [1-9][0-9]* of them after their lease' <<<"$$said" \
		|| { echo "the lease trials do not find that the fence is missing"; exit 1; }
	@echo "lease-trials finds that the fence is missing"

lease-trials: crash-programs ## Stop the leader past its lease 200 times; it must not write any more
	@$(CRASH_CARGO_TARGET)/debug/lease-trials --operator $(CRASH_OPERATOR) --trials $(or $(TRIALS),200)

engine-trials: crash-programs ## Poison objects, standby and graceful stop, against a real API server
	@$(CRASH_CARGO_TARGET)/debug/engine-trials --operator $(CRASH_OPERATOR)
