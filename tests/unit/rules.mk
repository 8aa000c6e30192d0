# An informer against an API server that does much wrong, as a script of a seed says. `make check` has
# 50 seeds; this many more, half of them in each of two processes. A seed that fails is printed:
# `SEED=n RUNS=1 build/tests/unit/unit kube_faults` repeats it.

RUNS ?= 2000
SEED ?= 1

.PHONY: check-informers
check-informers: $(BUILD)/tests/unit/unit ## informers against RUNS seeds of faults, from SEED on
	@half=$$(($(RUNS) / 2)); status=0; \
	SEED=$$(($(SEED) + half)) RUNS=$$(($(RUNS) - half)) $< kube_faults & second=$$!; \
	SEED=$(SEED) RUNS=$$half $< kube_faults || status=1; \
	wait $$second || status=1; exit $$status
