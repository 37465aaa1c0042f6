"""The API: models, validation, CRDs."""
