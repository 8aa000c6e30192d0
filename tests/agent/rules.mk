# The agent at work: restic on a folder, on a REST and on an S3 server, and the agent API as a script.
# TESTS="RS1 lock" picks by id or name.

.PHONY: check-agent
check-agent: $(BUILD)/granary-agent $(BUILD)/tests/integration/agent_desk ## the agent with real restic and storages, on loopback
	@tests/install.sh "test the agent" python3 openssl ca-certificates debian-archive-keyring
	@tests/cluster/tools.py build restic versitygw
	@GRANARY_AGENT=$(BUILD)/granary-agent AGENT_DESK=$(BUILD)/tests/integration/agent_desk GRANARY_SLOW=$(if $(SAN),4,1) \
		PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/agent/run.py $(TESTS)
