"""Whether an engine takes a job, as far as the request shows it. What it cannot see, the worker refuses."""

from collections.abc import Iterator, Mapping
from typing import Any

from darkroom.engines.capabilities import ENGINES
from darkroom.engines.model import Capabilities
from darkroom.errors import FieldError
from darkroom.jobs.types import JobType
from darkroom.webui import scripts
from darkroom.webui.samplers import own_choice, sampler_named, scheduler_named
from darkroom.webui.sizes import hires_size

_GRID = 8
_PAINTED = ("txt2img", "img2img")


def refusals(engine: str, job_type: JobType, parameters: dict[str, Any]) -> tuple[FieldError, ...]:
    """What of a job this engine does not take, field by field; nothing for an engine that is not known.

    Nothing is refused here that the engine would take: values that are no plain numbers or texts are left to it.
    """
    takes = ENGINES.get(engine)
    if takes is None:
        return ()
    if job_type not in takes.job_types:
        return (FieldError(("body", "type"), f"{job_type} jobs are not done by it"),)
    found = [*_formats(takes, parameters), *_faces(takes, job_type, parameters)]
    if job_type in _PAINTED:
        found += [*_names(takes, job_type, parameters), *_scripts(takes, parameters)]
        found += [*_steps(takes, parameters), *_pixels(takes, job_type, parameters)]
    return tuple(FieldError(("body", "parameters", *path), why) for path, why in found)


Found = Iterator[tuple[tuple[str, ...], str]]


def _formats(takes: Capabilities, parameters: Mapping[str, Any]) -> Found:
    options = parameters.get("override_settings")
    wanted = options.get("samples_format") if isinstance(options, dict) else None
    if isinstance(wanted, str) and wanted.strip().lower() not in takes.formats:
        yield ("override_settings", "samples_format"), f"is {wanted[:100]!r}; it writes {', '.join(takes.formats)}"


def _faces(takes: Capabilities, job_type: JobType, parameters: Mapping[str, Any]) -> Found:
    fields = ("gfpgan_visibility", "codeformer_visibility") if job_type == "extras" else ("restore_faces",)
    for name in fields if not takes.restores_faces else ():
        said = parameters.get(name)
        if said is True or (isinstance(said, int | float) and not isinstance(said, bool) and said > 0):
            yield (name,), "it restores no faces"


def _names(takes: Capabilities, job_type: JobType, parameters: Mapping[str, Any]) -> Found:
    first = "sampler_name" if parameters.get("sampler_name") else "sampler_index"
    fields = [(first, "sampler"), ("scheduler", "schedule")]
    if job_type == "txt2img" and parameters.get("enable_hr") is True:
        fields += [("hr_sampler_name", "sampler"), ("hr_scheduler", "schedule")]
    for name, what in fields:
        said = parameters.get(name)
        if not isinstance(said, str) or not said or (name.startswith("hr_") and own_choice(said) is None):
            continue
        if not (_takes_sampler(takes, said) if what == "sampler" else _takes_scheduler(takes, said)):
            yield (name,), f"there is no {what} {said[:100]!r}"


def _takes_sampler(takes: Capabilities, said: str) -> bool:
    found = sampler_named(said)
    return takes.samplers is None or (found is not None and found[0] in takes.samplers)


def _takes_scheduler(takes: Capabilities, said: str) -> bool:
    return takes.schedulers is None or scheduler_named(said) in takes.schedulers


def _scripts(takes: Capabilities, parameters: dict[str, Any]) -> Found:
    for script in scripts.running(parameters) if takes.scripts is not None else ():
        if takes.scripts is not None and script.title not in takes.scripts:
            path = ("script_name",) if script.path[0] == "script_args" else ("alwayson_scripts", str(script.path[1]))
            yield path, f"the script {script.title[:100]!r} is not known to it; switch it off"


def _steps(takes: Capabilities, parameters: Mapping[str, Any]) -> Found:
    for name in ("steps", "hr_second_pass_steps"):
        said = _number(parameters.get(name))
        if takes.steps is not None and said is not None and said > takes.steps:
            yield (name,), f"is {said:g}; it does at most {takes.steps}"


def _pixels(takes: Capabilities, job_type: JobType, parameters: Mapping[str, Any]) -> Found:
    width, height = _number(parameters.get("width")), _number(parameters.get("height"))
    if job_type == "txt2img":
        width, height = width or 512, height or 512
    if takes.pixels is None or width is None or height is None:
        return
    sizes = {"width": (width, height)}
    if job_type == "txt2img" and parameters.get("enable_hr") is True:
        sizes |= _second(width, height, parameters)
    for name, (across, down) in sizes.items():
        if across // _GRID * _GRID * (down // _GRID * _GRID) > takes.pixels:
            yield (name,), f"makes {across:.0f}x{down:.0f} pixels; it paints at most {takes.pixels:,}"


def _second(width: float, height: float, parameters: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The size of the second pass, by the field that says it."""
    across, down = _number(parameters.get("hr_resize_x")) or 0, _number(parameters.get("hr_resize_y")) or 0
    factor = _number(parameters.get("hr_scale"))
    size = hires_size(width, height, scale=2.0 if factor is None else factor, resize_x=across, resize_y=down)
    return {"hr_resize_x" if across else "hr_resize_y" if down else "hr_scale": size}


def _number(value: Any) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**9
    return value if plain else None
