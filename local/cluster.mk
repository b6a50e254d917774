# The throwaway cluster. CLUSTER=name selects a further one of this checkout.
.PHONY: cluster-up cluster-down cluster-purge cluster-shell cluster-status

cluster-up: $(VENV) ## a real Kubernetes cluster of one node, in a network namespace of its own
	@$(PYTHON) -m local.cluster up

cluster-down: $(VENV) ## take the cluster away; images and logs stay for the next one
	@$(PYTHON) -m local.cluster down

cluster-purge: $(VENV) ## take the cluster away with its images and logs
	@$(PYTHON) -m local.cluster purge

cluster-shell: $(VENV) ## a shell in the cluster's network, with kubectl and helm
	@$(PYTHON) -m local.cluster shell

cluster-status: $(VENV) ## what runs of the cluster
	@$(PYTHON) -m local.cluster status
