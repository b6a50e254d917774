"""A real Kubernetes cluster of one node, thrown away after use, several of them on one machine.

etcd, the control plane, kubelet and kube-proxy are built from pinned Go modules, containerd and the CNI
plugins come from Debian. The node lives in PID, mount and network namespaces of its own: when its first
process ends, the kernel ends everything else in it, with all mounts and Pod networks.
``python -m local.cluster`` is the command line, ``local.cluster.api`` is for tests and the demo.
"""
