"""The version of the worker."""

RELEASE = "0.3.0"
"""The project's version, as pyproject.toml has it: the worker runs from a folder and has no package to ask."""
