"""The kinds as pydantic models, the table of kinds, and the rules a good object keeps. Generates `crds/`."""
