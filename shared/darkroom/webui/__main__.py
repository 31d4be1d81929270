"""Prints what bridge and page know of the WebUI as JSON: the copy that the bridge carries (`make capabilities`)."""

import json
from dataclasses import asdict
from typing import Any

from darkroom.engines.capabilities import ENGINES
from darkroom.webui import infotext
from darkroom.webui.calls import CALLS
from darkroom.webui.samplers import SAMPLERS, SCHEDULERS
from darkroom.webui.upscalers import FILES, LATENT

ENGINE = "diffusers"
"""The engine whose scripts and preprocessors the bridge names."""


def facts() -> dict[str, Any]:
    """Samplers, schedules, upscalers, the fields of the calls with their defaults, scripts, preprocessors, and the
    labels under pictures."""
    engine = ENGINES[ENGINE]
    return {
        "samplers": [asdict(sampler) for sampler in SAMPLERS],
        "schedulers": [asdict(scheduler) for scheduler in SCHEDULERS],
        "latent_upscalers": list(LATENT),
        "upscaler_files": FILES,
        "scripts": sorted(engine.scripts or ()),
        "preprocessors": list(engine.preprocessors or ()),
        "labels": infotext.labels(),
        "calls": {call: {name: asdict(field) for name, field in fields.items()} for call, fields in CALLS.items()},
    }


def as_json() -> str:
    """The same as JSON."""
    return json.dumps(facts(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(as_json(), end="")
