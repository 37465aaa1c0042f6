"""Pod templates as Kubernetes' own Go types would hold them: JSON, quantities, defaults, equality."""
