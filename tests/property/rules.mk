# Properties run with the unit tests, 10,000 cases each; SEED, PROPERTY_FIRST and PROPERTY_COUNT of the
# environment choose others. The differential test needs Debian's python3-jsonpatch.

LONG_COUNT ?= 1000000
LONG_SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')

.PHONY: check-property-long
check-property-long: $(BUILD)/tests/unit/unit ## properties: LONG_COUNT cases of a new seed
	@SEED=$(LONG_SEED) PROPERTY_COUNT=$(LONG_COUNT) $(BUILD)/tests/unit/unit property

TRIPLES := $(BUILD)/tests/property/triples

$(TRIPLES): $(BUILD)/tests/property/differential/triples.o $(BUILD)/tests/property/random.o \
		$(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

.PHONY: check-differential
check-differential: $(TRIPLES) ## patches against an independent implementation (python3-jsonpatch)
	@tests/install.sh "check-differential" python3-jsonpatch
	@tests/property/differential/compare.py $(TRIPLES)

-include $(BUILD)/tests/property/differential/triples.d
