"""Judges metrics; knows nothing of Kubernetes."""
