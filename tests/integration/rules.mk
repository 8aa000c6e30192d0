# The running programs over real sockets, on loopback only. SAN=address and SAN=thread work here too:
# limits are then longer and numbers smaller. TESTS="H19 rotation" picks by id or name.

.PHONY: check-integration
check-integration: $(BUILD)/granary-webhook $(BUILD)/granary-agent $(BUILD)/granary-controller ## the real programs, on loopback
	@tests/install.sh "test the webhook" python3 openssl
	@GRANARY_WEBHOOK=$(BUILD)/granary-webhook GRANARY_AGENT=$(BUILD)/granary-agent \
		GRANARY_CONTROLLER=$(BUILD)/granary-controller GRANARY_SLOW=$(if $(SAN),4,1) \
		PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/integration/run.py $(TESTS)
