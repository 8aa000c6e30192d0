# granary: `make help` lists the targets. All output goes to $(BUILD).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0
COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
PREFIX ?= /usr/local
DESTDIR ?=

# SAN=address|thread builds with that sanitizer into a folder of its own; COVERAGE=1 likewise.
SAN ?=
COVERAGE ?=
BUILD ?= build$(if $(SAN),/san-$(SAN))$(if $(COVERAGE),/coverage)

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
PACKAGES := libmicrohttpd gnutls jansson yaml-0.1 libcurl
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wcast-align -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wvla -Wformat=2 -Wundef -Wno-format-nonliteral
OPTIMIZE := $(if $(SAN)$(COVERAGE),-O1,-O2)
SANFLAGS := $(if $(filter address,$(SAN)),-fsanitize=address$(,)undefined -fno-sanitize-recover=all) \
	$(if $(filter thread,$(SAN)),-fsanitize=thread)
, := ,
ifeq ($(SAN),address)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all
endif
CFLAGS_ALL := -std=gnu17 -D_GNU_SOURCE $(WARNINGS) $(OPTIMIZE) -g -fno-omit-frame-pointer -fPIE \
	-fstack-protector-strong $(if $(SAN)$(COVERAGE),,-D_FORTIFY_SOURCE=2) $(SANFLAGS) \
	$(if $(COVERAGE),--coverage -fprofile-abs-path) -I. \
	-DGRANARY_VERSION='"$(VERSION)"' \
	$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) $(CFLAGS)
LDFLAGS_ALL := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANFLAGS) $(if $(COVERAGE),--coverage) $(LDFLAGS)
LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lpthread -lm
TEST_LIBS := $(shell pkg-config --libs check 2>/dev/null)

# Every folder of sources is a library of objects; a main.c makes a program of its folder.
LIBRARY_DIRS := base api mutators kube certs http settings webhook controllers agent cli
LIBRARY_SOURCES := $(filter-out %/main.c,$(wildcard $(addsuffix /*.c,$(LIBRARY_DIRS))))
LIBRARY := $(LIBRARY_SOURCES:%.c=$(BUILD)/%.o)
TEST_SOURCES := $(wildcard tests/unit/*.c tests/unit/*/*.c tests/property/*.c)
TEST_OBJECTS := $(TEST_SOURCES:%.c=$(BUILD)/%.o)
PROGRAMS := $(BUILD)/granary-webhook $(BUILD)/granary-controller $(BUILD)/granary-agent $(BUILD)/kubectl-granary

-include $(wildcard tests/*/rules.mk)

.PHONY: all
all: $(PROGRAMS) $(BUILD)/kubectl-granary.1 ## build the programs, and the man page

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

# One object knows the commit, and is built anew for another one.
$(BUILD)/base/build.o: CFLAGS_ALL += -DGRANARY_COMMIT='"$(COMMIT)"'
$(BUILD)/base/build.o: $(BUILD)/commit

$(BUILD)/commit: $(if $(filter $(COMMIT),$(file <$(BUILD)/commit)),,FORCE)
	@mkdir -p $(@D)
	@echo $(COMMIT) >$@

.PHONY: FORCE
FORCE:

$(BUILD)/libgranary.a: $(LIBRARY)
	@rm -f $@
	@ar qcs $@ $^

$(BUILD)/granary-webhook: $(BUILD)/webhook/main.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

$(BUILD)/granary-controller: $(BUILD)/controllers/main.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

$(BUILD)/kubectl-granary: $(BUILD)/cli/main.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

# From the table of its usage texts, as are the scripts of shells.
$(BUILD)/kubectl-granary.1: $(BUILD)/kubectl-granary
	@$< manual >$@.new
	@mv $@.new $@

# Runs in other people's pods: few libraries, so little memory (libcurl alone would take 9 MiB).
AGENT_LIBS := $(shell pkg-config --libs gnutls jansson 2>/dev/null) -lpthread

$(BUILD)/granary-agent: $(BUILD)/agent/main.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(AGENT_LIBS) -o $@

$(BUILD)/tests/unit/unit: $(TEST_OBJECTS) $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) $(TEST_LIBS) -o $@

.PHONY: check
check: $(BUILD)/tests/unit/unit ## unit, golden, properties, corpus replay: no network
	@CK_VERBOSITY=normal $(BUILD)/tests/unit/unit $(SUITES)

.PHONY: test
test: ## everything that needs no cluster; installs what is missing first
	@tests/install.sh "build" gcc make git pkg-config libmicrohttpd-dev libgnutls28-dev libjansson-dev libyaml-dev libcurl4-gnutls-dev
	@tests/install.sh "test" check
	@tests/run.sh check check-differential check-manifests check-integration check-cli check-crds

.PHONY: demo
demo: ## the real webhook asked over HTTPS, step by step; installs what is missing first
	@tests/install.sh "build" gcc make git pkg-config libmicrohttpd-dev libgnutls28-dev libjansson-dev libyaml-dev libcurl4-gnutls-dev
	@tests/install.sh "run the demo" curl openssl jq
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) examples/demo.sh

.PHONY: install
install: all ## into $(DESTDIR)$(PREFIX): bin, man page, completion of shells, share/doc/granary
	@install -d $(DESTDIR)$(PREFIX)/bin
	@install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	@install -D -m 644 $(BUILD)/kubectl-granary.1 $(DESTDIR)$(PREFIX)/share/man/man1/kubectl-granary.1
	@$(BUILD)/kubectl-granary completion kubectl >$(DESTDIR)$(PREFIX)/bin/kubectl_complete-granary
	@chmod 755 $(DESTDIR)$(PREFIX)/bin/kubectl_complete-granary
	@cd $(DESTDIR)$(PREFIX)/share && \
		install -d bash-completion/completions zsh/site-functions fish/vendor_completions.d && \
		../bin/kubectl-granary completion bash >bash-completion/completions/kubectl-granary && \
		../bin/kubectl-granary completion zsh >zsh/site-functions/_kubectl-granary && \
		../bin/kubectl-granary completion fish >fish/vendor_completions.d/kubectl-granary.fish
	@for file in LICENSE README.md SECURITY.md docs/*.md examples/*/*.yaml; do \
		install -D -m 644 $$file $(DESTDIR)$(PREFIX)/share/doc/granary/$$file; \
	done
	@echo "Installed $(notdir $(PROGRAMS)) into $(DESTDIR)$(PREFIX)/bin"

# In one process: a leak check after each of thousands of tests would take most of an hour.
SANITIZED := CK_FORK=no CK_DEFAULT_TIMEOUT=0 $(MAKE) --no-print-directory

.PHONY: check-asan
check-asan: ## check and check-integration under AddressSanitizer and UBSan
	@$(SANITIZED) SAN=address all check check-integration

.PHONY: check-tsan
check-tsan: ## the server and its threads under ThreadSanitizer
	@$(SANITIZED) SAN=thread all check-integration
	@$(SANITIZED) SAN=thread check SUITES="kube webhook certs base_log"

# One process, few random cases, each 13th of thousands: valgrind is twenty times slower. Of the running
# server what talks over few connections, since limits of time are not what is judged here.
# Left out: controllers_certificates, property_certificates and property_rotation (keys made in seconds
# each), kube_election and property_election (searches), kube_faults; sanitizers run them all.
VALGRIND_SUITES ?= admit agent api base certs cli corpus controllers_cl controllers_co controllers_h \
	controllers_o controllers_p controllers_r controllers_s golden http kube_c kube_d kube_ev kube_fr kube_i \
	kube_l kube_q kube_r kube_s kube_v kube_w mutators patch pointer property_a property_n property_p \
	property_q property_s property_y review webhook
VALGRIND_TESTS ?= H8 H10 pipelined interrupt clients_are_verified mounted_secret under_way metrics_are
.PHONY: check-valgrind
check-valgrind: all $(BUILD)/tests/unit/unit $(BUILD)/tests/integration/agent_desk ## unit tests, goldens, and the running webhook under valgrind
	@tests/install.sh "run valgrind" valgrind libc6-dbg python3 openssl
	@CK_FORK=no CK_VERBOSITY=normal CK_DEFAULT_TIMEOUT=0 PROPERTY_COUNT=5 SUITE_STRIDE=13 \
		PROGRAM=$(BUILD)/tests/unit/unit tests/valgrind.sh $(or $(SUITES),$(VALGRIND_SUITES))
	@PROGRAM=$(BUILD)/granary-webhook GRANARY_WEBHOOK=tests/valgrind.sh GRANARY_SLOW=8 \
		PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/integration/run.py $(VALGRIND_TESTS)

.PHONY: check-clang
check-clang: ## builds with the other compiler, and checks
	@$(MAKE) --no-print-directory CC=clang-14 BUILD=build/clang all check

.PHONY: check-pure
check-pure: all ## the core calls nothing that is not pure; includes point downwards
	@tests/pure.sh $(BUILD)

.PHONY: coverage
coverage: ## lines and branches that the tests reach
	@tests/install.sh "measure coverage" gcovr
	@mkdir -p build/coverage && find build/coverage -name '*.gcda' -delete
	@$(MAKE) --no-print-directory COVERAGE=1 all check check-integration check-cli
	@# what works with real restic, etcd and databases; some of it is enough
	@$(MAKE) --no-print-directory COVERAGE=1 check-agent TESTS="key_is_exchanged wipe DB1 DB2 ET1 ET3 ET5"
	@tests/coverage.sh

.PHONY: lint
lint: ## clang-tidy, cppcheck, banned calls; FILES= reads only those
	@tests/install.sh "lint" clang-tidy-14 cppcheck
	@tests/lint.sh $(FILES)

.PHONY: format
format: ## clang-format, in place
	@clang-format-14 -i $$(git ls-files '*.c' '*.h')

.PHONY: format-check
format-check: ## clang-format, only looks
	@tests/install.sh "check the format" clang-format-14
	@files=$$(git ls-files '*.c' '*.h'); clang-format-14 --dry-run -Werror $$files; \
		echo "$$(wc -w <<<"$$files") passed, 0 failed"

.PHONY: clean
clean: ## remove all output
	@rm -rf build

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 24

-include $(LIBRARY:.o=.d) $(TEST_OBJECTS:.o=.d) $(wildcard $(BUILD)/*/main.d)
