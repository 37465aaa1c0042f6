"""A real Kubernetes control plane as plain processes: no Docker, no root, no fixed ports.

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are the published ones, built from their Go modules
(`tools`, `build`); pods are simulated by kwok (`stages/`) or run as local processes by the process node. `Plane`
starts and stops them; `python -m deploy.local cluster` keeps one up by hand.
"""
