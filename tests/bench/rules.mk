# Speed and size. `make bench` prints times as ratios to a server that answers the same bytes always
# (the transport floor), measured in turns; `make check-instructions` counts instructions, which are the
# same in every run, and compares them with tests/bench/instructions.txt.

BENCH := $(BUILD)/tests/bench
# reviews after which the resident memory is read again; seconds of one measurement; turns; which parts
REVIEWS ?= 20000
SECONDS_EACH ?= 1
ROUNDS ?= 7
PARTS ?= cpu latency memory connections start

.PHONY: bench
bench: $(BUILD)/granary-webhook $(BENCH)/floor-webhook $(BENCH)/reviews ## speed and size of the webhook, as ratios
	@tests/install.sh "measure" wrk openssl python3
	@REVIEWS=$(REVIEWS) SECONDS_EACH=$(SECONDS_EACH) ROUNDS=$(ROUNDS) PARTS="$(PARTS)" \
		tests/bench/bench.py $(BUILD)/granary-webhook $(BENCH)/floor-webhook $(BENCH)/reviews

.PHONY: bench-webhook-cluster
bench-webhook-cluster: $(BUILD)/granary-webhook ## the webhook with 10,000 objects of an API server: start, memory, changes
	@tests/install.sh "measure" openssl python3
	@PYTHONDONTWRITEBYTECODE=1 tests/bench/cluster_bench.py $(BUILD)/granary-webhook

# Flags and compiler are fixed, in a folder that nothing else builds in.
COUNTED := build/instructions
COUNTED_MAKE := $(MAKE) -s --no-print-directory CC=gcc SAN= COVERAGE= CFLAGS= LDFLAGS= BUILD=$(COUNTED)
COUNTED_FILES := $(COUNTED)/tests/bench/admit_bench $(COUNTED)/tests/bench/reviews

.PHONY: check-instructions instructions
check-instructions: ## instructions of a decision, by callgrind, against tests/bench/instructions.txt
	@tests/install.sh "count instructions" valgrind python3
	+@$(COUNTED_MAKE) $(COUNTED_FILES)
	@tests/bench/instructions.py $(COUNTED_FILES) check

instructions: ## rewrites tests/bench/instructions.txt; read the difference before the commit
	@tests/install.sh "count instructions" valgrind python3
	+@$(COUNTED_MAKE) $(COUNTED_FILES)
	@tests/bench/instructions.py $(COUNTED_FILES) write
	@git --no-pager diff tests/bench/instructions.txt

$(BENCH)/reviews: tests/bench/reviews.py $(BUILD)/granary-webhook
	@rm -rf $@
	@tests/bench/reviews.py $@ $(BUILD)/granary-webhook

# floor.o has admit() already, so the library's is not taken
$(BENCH)/floor-webhook: $(BUILD)/webhook/main.o $(BENCH)/floor.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

$(BENCH)/admit_bench: $(BENCH)/admit_bench.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

-include $(BENCH)/floor.d $(BENCH)/admit_bench.d

# make bench-backup FILES=5000 MIB=2048 ROUNDS=3
.PHONY: bench-backup
bench-backup: $(BUILD)/granary-agent ## a backup through the agent against restic alone, cold and incremental, as ratio
	@tests/install.sh "measure" openssl python3
	@tests/cluster/tools.py build restic
	@GRANARY_AGENT=$(BUILD)/granary-agent PYTHONDONTWRITEBYTECODE=1 $(foreach name,FILES MIB ROUNDS,$(if $($(name)),$(name)=$($(name)))) \
		tests/bench/backup_bench.py

AGENTS ?= 10000

.PHONY: bench-agents
bench-agents: $(BUILD)/tests/integration/agent_desk ## AGENTS that wait for work: memory, and how long until all are served again
	@tests/install.sh "measure" openssl python3
	@PYTHONDONTWRITEBYTECODE=1 tests/bench/agent_wait.py $< $(AGENTS)

TARGETS ?= 1000
OTHERS ?= 5000

.PHONY: bench-controller
bench-controller: all images ## the controller with TARGETS targets and OTHERS other workloads in a real cluster: memory, writes, time; then waiting agents
	@tests/install.sh "run a cluster" python3
	@tests/install.sh "run a cluster" $(CLUSTER_PACKAGES)
	@TARGETS=$(TARGETS) OTHERS=$(OTHERS) tests/bench/controller_bench.py
	+@$(MAKE) -s --no-print-directory bench-agents

-include $(wildcard $(BUILD)/tests/bench/*.d)
