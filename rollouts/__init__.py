"""A progressive delivery controller for Kubernetes."""
