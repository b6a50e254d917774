"""Programs that tell what GitOps tools make of a ModelDeployment: Flux itself, kstatus, and Argo CD's Lua."""
