# A real Kubernetes that the tests start themselves; docs/testing.md says how it works.

CLUSTER_TOOLS := tests/cluster/tools.py

.PHONY: cluster-tools
cluster-tools: ## build and fetch Kubernetes, etcd, coredns, versitygw, restic into the cache
	@tests/install.sh "build the cluster's programs" python3 ca-certificates debian-archive-keyring
	@$(CLUSTER_TOOLS) build
