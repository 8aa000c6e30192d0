# The running programs over real sockets, on loopback only. SAN=address and SAN=thread work here too:
# limits are then longer and numbers smaller. TESTS="H19 rotation" picks by id or name.

.PHONY: check-integration
check-integration: $(BUILD)/granary-webhook $(BUILD)/granary-agent $(BUILD)/granary-controller \
	$(BUILD)/tests/integration/agent_desk ## the real programs, on loopback
	@tests/install.sh "test the webhook" python3 openssl
	@GRANARY_WEBHOOK=$(BUILD)/granary-webhook GRANARY_AGENT=$(BUILD)/granary-agent \
		GRANARY_CONTROLLER=$(BUILD)/granary-controller AGENT_DESK=$(BUILD)/tests/integration/agent_desk GRANARY_SLOW=$(if $(SAN),4,1) \
		PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/integration/run.py $(TESTS)

# The agent API with a desk that does as it is told.
$(BUILD)/tests/integration/agent_desk: $(BUILD)/tests/integration/agent_desk.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

-include $(BUILD)/tests/integration/agent_desk.d
