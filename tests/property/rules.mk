# Properties run with the unit tests, 10,000 cases each; SEED, PROPERTY_FIRST and PROPERTY_COUNT of the
# environment choose others. The differential test needs Debian's python3-jsonpatch.

LONG_COUNT ?= 1000000
# of the commit, so that a run can be repeated and the next commit tries others
LONG_SEED ?= $(shell printf %d 0x$$(git rev-parse --short=7 HEAD 2>/dev/null || echo 1))

.PHONY: check-property-long
check-property-long: $(BUILD)/tests/unit/unit ## properties of patches: LONG_COUNT cases; of whole reviews and RDBs: a fiftieth
	@SEED=$(LONG_SEED) PROPERTY_COUNT=$(LONG_COUNT) $(BUILD)/tests/unit/unit property_patch
	@SEED=$(LONG_SEED) PROPERTY_COUNT=$$(($(LONG_COUNT) / 50)) $(BUILD)/tests/unit/unit \
		property_a property_e property_n property_q property_rdb property_w property_y
	@ELECTION_STATES=1000000 $(BUILD)/tests/unit/unit kube_election
	@SEED=$(LONG_SEED) SESSION_STATES=1500000 PROPERTY_COUNT=$$(($(LONG_COUNT) / 20)) \
		$(BUILD)/tests/unit/unit property_sessions

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
