# The custom resource definitions: written from their description, compared with what the webhook
# knows, and rows that both judge. TESTS="part of a name" picks.

.PHONY: crds
crds: ## manifests/crds, from manifests/schema
	@PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 manifests/schema/write.py

$(BUILD)/tests/crds/known: $(BUILD)/tests/crds/known.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

.PHONY: check-crds
check-crds: all $(BUILD)/tests/crds/known ## the CRDs say what the webhook says; without a cluster
	@tests/install.sh "compare the CRDs" python3 openssl
	@GRANARY_BUILD=$(BUILD) GRANARY_WEBHOOK=$(BUILD)/granary-webhook GRANARY_SLOW=$(if $(SAN),4,1) \
		PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/crds/run.py $(TESTS)
