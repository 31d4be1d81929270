"""Which files that no job names a job needs all the same, by their purpose."""

from collections.abc import Mapping
from typing import Any

from darkroom.checkpoints.purposes import NEEDS, Purpose
from darkroom.webui.scripts import running, units


def purposes_of(job_type: str, fields: Mapping[str, Any]) -> tuple[Purpose, ...]:
    """The purposes of a job of this type with this body: that of its type, and those of the preprocessors of its
    ControlNet units that are switched on."""
    modules = _preprocessors(fields)
    return tuple(
        purpose
        for purpose, need in NEEDS.items()
        if need.job_type == job_type or (need.preprocessor and any(need.preprocessor in name for name in modules))
    )


def _preprocessors(fields: Mapping[str, Any]) -> list[str]:
    """The names of the preprocessors, in lower case."""
    scripts = [script for script in running(dict(fields)) if script.title.startswith("controlnet")]
    # The extension's API takes both fields.
    said = [unit.get("module") or unit.get("preprocessor") for script in scripts for unit, _ in units(script)]
    return [name.lower().replace(" ", "_") for name in said if isinstance(name, str)]
