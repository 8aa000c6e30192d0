# A real Kubernetes that the tests start themselves; docs/testing.md says how it works.
# GRANARY_CLUSTER=name picks another cluster than that of this copy of the tree.

CLUSTER := tests/cluster/cluster.py
CLUSTER_PACKAGES = $(shell /usr/bin/python3 -c 'import sys; sys.path.insert(0, "tests/cluster"); \
	sys.dont_write_bytecode = True; import node; print(*node.PACKAGES)')

export PYTHONDONTWRITEBYTECODE ?= 1

.PHONY: cluster-tools cluster-up cluster-down check-cluster check-long
cluster-tools: ## build and fetch Kubernetes, etcd, coredns, versitygw, restic into the cache
	@tests/install.sh "build the cluster's programs" python3 ca-certificates debian-archive-keyring
	@tests/cluster/tools.py build

cluster-up: images ## start a Kubernetes of its own, to play with
	@tests/install.sh "run a cluster" python3
	@tests/install.sh "run a cluster" $(CLUSTER_PACKAGES)
	@$(CLUSTER) up

cluster-down: ## take it away, with everything
	@$(CLUSTER) down

$(BUILD)/tests/cluster/make_jobs $(BUILD)/tests/cluster/run_command: %: %.o $(BUILD)/libgranary.a
	@echo "  LINK  $@"
	@$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@

check-cluster: all images $(BUILD)/tests/cluster/make_jobs $(BUILD)/tests/cluster/run_command ## what a real Kubernetes shows; TESTS="CL2 dns" picks
	@tests/install.sh "run a cluster" python3
	@tests/install.sh "run a cluster" $(CLUSTER_PACKAGES)
	@tests/cluster/run.py $(TESTS)

# Of the same tests those that have a size, with more of everything.
check-long: export GRANARY_LONG := 1
check-long: ## hundreds of targets in a real Kubernetes, as many as in a large installation
	@$(MAKE) --no-print-directory check-cluster TESTS="$(if $(TESTS),$(TESTS),test_scale)"

-include $(wildcard $(BUILD)/tests/cluster/*.d)
