"""From models to CustomResourceDefinitions: `python -m rollouts.api.generate` writes them to `crds/`.

`models` turns a pydantic model into a structural schema, `kubernetes` brings in the pod template's schema from
Kubernetes' own OpenAPI document, `resources` frames both as a CRD with its names, columns and subresources.
"""
