# Fuzz targets and the replay of their corpora.
#
# To add one: write tests/fuzz/fuzz_<name>.c with
#
#     int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
#
# that aborts when a promise is broken (see FUZZ_MUST in fuzz.h) and returns 0, and put some inputs, each
# a file that says by its name what it is, into tests/fuzz/corpus/<name>/. Nothing else: `make check`
# then replays each file and some thousand changes of it (cut short, bytes flipped, dropped, doubled:
# the same each time), and `make fuzz` looks for more. Words of the format, one "word" a line, may
# stand in tests/fuzz/<name>.dict. Data is freed after the call, so a target must not keep pointers.
#
# An input that libFuzzer finds goes into the corpus together with the repair.

FUZZ_SECONDS ?= 60
FUZZ_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
TARGET ?= $(FUZZ_TARGETS)
FUZZ_REPLAYS := $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/replay_%)

.PHONY: check-corpus
check-corpus: $(FUZZ_REPLAYS) ## replays the corpora of the fuzz targets
	@tests/fuzz/replay.sh $(FUZZ_REPLAYS)

check: check-corpus

$(FUZZ_REPLAYS): $(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/replay.o \
		$(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

.PHONY: fuzz
fuzz: ## libFuzzer, FUZZ_SECONDS for each TARGET (default: all), in build/fuzz
	@$(MAKE) --no-print-directory CC=clang-14 SAN=address BUILD=build/fuzz \
		CFLAGS=-fsanitize=fuzzer-no-link $(TARGET:%=build/fuzz/fuzz_%)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/fuzz.sh $(TARGET)

$(FUZZ_TARGETS:%=$(BUILD)/fuzz_%): $(BUILD)/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) -fsanitize=fuzzer $(LDFLAGS_ALL) $^ $(LIBS) -o $@

.PRECIOUS: $(BUILD)/tests/fuzz/%.o
-include $(wildcard $(BUILD)/tests/fuzz/*.d)
