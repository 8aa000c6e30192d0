# The manifests as they stand in files, compared with each other, with the headers and with the programs:
# no cluster, no kubectl. TESTS="rbac" picks by a part of the name.

YAML_JSON := $(BUILD)/tests/manifests/yaml_json

$(YAML_JSON): $(BUILD)/tests/manifests/yaml_json.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

.PHONY: check-manifests
check-manifests: all $(YAML_JSON) ## what stands in manifests/, without a cluster
	@tests/install.sh "test the manifests" python3
	@GRANARY_BUILD=$(BUILD) GRANARY_YAML_JSON=$(YAML_JSON) \
		PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/manifests/run.py $(TESTS)

-include $(BUILD)/tests/manifests/yaml_json.d
