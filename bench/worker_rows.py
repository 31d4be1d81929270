"""The rows of the worker's table (`python -m bench.worker`), which several modules fill."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A figure with its budget: what was measured, what came out, what it should be. `met` is None where there is no
    budget, or where this machine cannot tell."""

    name: str
    figure: str
    budget: str = ""
    met: bool | None = None
