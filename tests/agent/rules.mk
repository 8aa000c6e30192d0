# The agent at work: restic on a folder, on a REST and on an S3 server, and the agent API as a script;
# members of etcd 3.4, 3.5 and 3.6 as bare processes.
# Metrics of the controller are here too, as Prometheus and its Pushgateway, of Debian, read them.
# TESTS="RS1 lock" picks by id or name. SEED=... repeats fault sessions, FAULT_SESSIONS=N are as many.

.PHONY: check-agent
check-agent: $(BUILD)/granary-agent $(BUILD)/granary-controller $(BUILD)/tests/integration/agent_desk $(BUILD)/tests/agent/kill_at.so ## the agent with real restic and storages, on loopback
	@tests/install.sh "test the agent" python3 openssl ca-certificates debian-archive-keyring postgresql-15 mariadb-server-core mariadb-client redis-server
	@tests/cluster/tools.py build restic rclone versitygw prometheus etcd etcd35 etcd34
	@GRANARY_AGENT=$(BUILD)/granary-agent GRANARY_CONTROLLER=$(BUILD)/granary-controller AGENT_DESK=$(BUILD)/tests/integration/agent_desk \
		GRANARY_KILL_AT=$(BUILD)/tests/agent/kill_at.so GRANARY_SLOW=$(if $(SAN),4,1) \
		PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/agent/run.py $(TESTS)

# Each loss with each version of etcd, with more keys; the control plane of docs/etcd.md: minutes.
.PHONY: check-etcd-restore
check-etcd-restore: export GRANARY_ETCD_ALL := 1
check-etcd-restore: TESTS := ET5
check-etcd-restore: check-agent ## members of etcd 3.4, 3.5 and 3.6 after every loss, and a control plane

# Preloaded into programs that are not sanitized: a sanitizer wants to be first.
$(BUILD)/tests/agent/kill_at.so: tests/agent/kill_at.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) -std=gnu17 -D_GNU_SOURCE $(WARNINGS) -O2 -g -shared -fPIC $< -o $@

FAULT_SESSIONS_LONG ?= 500

.PHONY: check-faults-long
check-faults-long: ## large data, and FAULT_SESSIONS_LONG seeded sessions with faults: half an hour
	@GRANARY_LONG=1 FAULT_SESSIONS=$(FAULT_SESSIONS_LONG) $(MAKE) --no-print-directory check-agent TESTS="seeded come_back comes_back"

check-long: $(if $(TESTS),,check-faults-long)
