# An informer against an API server that does much wrong, as a script of a seed says. `make check` has
# 50 seeds; this many more, a quarter of them in each of four processes, which mostly wait. A seed that
# fails is printed: `SEED=n RUNS=1 build/tests/unit/unit kube_faults` repeats it.

RUNS ?= 2000
SEED ?= 1

.PHONY: check-informers
check-informers: $(BUILD)/tests/unit/unit ## informers against RUNS seeds of faults, from SEED on
	@pids=(); status=0; \
	for part in 0 1 2 3; do \
		first=$$(($(RUNS) * part / 4)); \
		SEED=$$(($(SEED) + first)) RUNS=$$(($(RUNS) * (part + 1) / 4 - first)) $< kube_faults & pids+=($$!); \
	done; \
	for pid in "$${pids[@]}"; do wait "$$pid" || status=1; done; \
	exit $$status

# what is no race, for all that is built with SAN=thread
ifeq ($(SAN),thread)
export TSAN_OPTIONS ?= suppressions=$(CURDIR)/tests/tsan.supp
endif
