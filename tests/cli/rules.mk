# kubectl-granary, the demo and `make install`, as a person uses them. TESTS="render" picks by a part
# of the name.

.PHONY: check-cli
check-cli: all ## kubectl-granary, demo and install: the real programs
	@tests/install.sh "test the programs" python3 openssl jq curl
	@GRANARY_BUILD=$(BUILD) GRANARY_WEBHOOK=$(BUILD)/granary-webhook GRANARY_SLOW=$(if $(SAN),4,1) \
		PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/cli/run.py $(TESTS)
