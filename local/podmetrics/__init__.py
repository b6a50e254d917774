"""The metrics-server beside a throwaway cluster: what pods take, by ``metrics.k8s.io``."""
