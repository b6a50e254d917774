"""The Kubernetes API: how to log in, what there is, and the verbs on it."""
