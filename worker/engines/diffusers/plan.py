"""What a job asks for, resolved before anything is loaded: sizes, samplers, passes, prompts without their tags.

The rules are those of the WebUI 1.10 (modules/processing.py, `StableDiffusionProcessingTxt2Img`). Needs no torch.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from darkroom.checkpoints.model import Kind
from darkroom.jobs.contract import ModelFile, WorkRequest
from darkroom.webui import scripts
from darkroom.webui.prompt import without_comments
from darkroom.webui.samplers import own_choice
from darkroom.webui.spelling import folded, stem
from darkroom.webui.upscalers import needs_file
from worker.engines.diffusers.prompts.networks import NetworkUse, read
from worker.engines.diffusers.prompts.options import PromptOptions, prompt_options_of
from worker.engines.diffusers.sampling.names import AUTOMATIC, Sampler, Scheduler, labels, resolve
from worker.engines.diffusers.sampling.options import SamplingOptions, options_of
from worker.errors import JobError
from worker.parameters import GenerationSettings, hires_size_of

MOST_STEPS = 1000
"""As many as a model has noise levels: more steps than that go over the same ones again."""
MOST_PIXELS = 4096 * 4096
GRID = 8
CONTROLNET = "controlnet"
REFINER = "refiner"
KNOWN_SCRIPTS = frozenset({CONTROLNET, REFINER})
"""The scripts whose arguments this engine understands."""

LEFT_OUT = {
    "img2img_color_correction": False,
    "overlay_inpaint": True,
    "pad_cond_uncond": False,
    "pad_cond_uncond_v0": False,
    "sd_vae_encode_method": "Full",
    "sd_vae_decode_method": "Full",
    "token_merging_ratio": 0,
    "token_merging_ratio_img2img": 0,
    "token_merging_ratio_hr": 0,
}
"""Options of the WebUI that change pictures and that this engine does not have, with the values that change nothing."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Prompts:
    """A pass's prompts without their tags, and the files that the tags call for."""

    positive: str
    negative: str
    uses: tuple[NetworkUse, ...]


@dataclass(frozen=True)
class Hires:
    """The second pass of hires fix. The picture is enlarged to `size` and then cut to `cut`, from its middle."""

    size: Size
    cut: Size
    upscaler: str
    steps: int
    sampler: Sampler
    scheduler: Scheduler
    prompts: Prompts
    checkpoint: ModelFile | None
    named: bool


@dataclass(frozen=True)
class Refiner:
    """The checkpoint that goes on from a share of the noise levels, or of the steps. `passes` is the WebUI's setting
    `hires_fix_refiner_pass`, for jobs with a second pass."""

    checkpoint: ModelFile
    at: float
    by_steps: bool
    passes: Literal["first pass", "second pass", "both passes"]


@dataclass(frozen=True)
class Plan:
    """A txt2img or img2img job. `size` is that of the first pass, a multiple of 8 pixels a side. `named` is False where
    the schedule is the model's own: Automatic, for a sampler that has none."""

    settings: GenerationSettings
    size: Size
    sampler: Sampler
    scheduler: Scheduler
    sampling: SamplingOptions
    prompting: PromptOptions
    prompts: Prompts
    hires: Hires | None
    refiner: Refiner | None
    controls: tuple[dict[str, Any], ...]
    named: bool
    noise: float = 1.0


def plan_of(request: WorkRequest, settings: GenerationSettings, start: Size | None = None) -> Plan:
    """The plan of a job; `start` is the size of the picture that img2img starts from.

    Raises JobError `parameter_invalid` or `script_unknown` for what this engine does not do, by its name.
    """
    _check(request, settings)
    sampler, scheduler = resolve(settings.sampler, settings.scheduler)
    size = _size(settings, start or (512, 512))
    options = settings.override_settings
    comments = options.get("enable_prompt_comments") is not False
    prompts = _prompts(settings.prompt, settings.negative_prompt, comments, settings.disable_extra_networks)
    plan = Plan(
        settings=settings,
        size=size,
        sampler=sampler,
        scheduler=scheduler,
        sampling=options_of(request.parameters),
        prompting=prompt_options_of(request.parameters),
        prompts=prompts,
        hires=None,
        refiner=_refiner(request, settings),
        controls=tuple(controls_of(request)),
        named=_is_named(settings.sampler, settings.scheduler),
        noise=_multiplier(request, settings),
    )
    if request.type == "txt2img" and settings.enable_hr:
        plan = replace(plan, hires=_hires(request, plan, comments))
    return plan


def file_of(request: WorkRequest, kind: Kind, name: str) -> ModelFile | None:
    """The file of the request that a body means by `name`, None when there is none of that name."""
    files = request.models.get(kind, [])
    if kind == "stable-diffusion" and request.checkpoint:
        files = [request.checkpoint, *files]
    for file in files:
        if name == file.name or name in file.spellings:
            return file
    wanted = folded(stem(name.replace("\\", "/").rpartition("/")[2]))
    return next((file for file in files if folded(stem(file.name)) == wanted), None)


def left_out(options: Mapping[str, Any]) -> list[str]:
    """A sentence about each option that is asked for and that this engine does not have."""
    named = [name for name, plain in LEFT_OUT.items() if options.get(name) not in (None, plain)]
    return [f"The option {name} was left out: this engine does not have it." for name in named]


def needed_file(request: WorkRequest, kind: Kind, name: str) -> ModelFile:
    """See `file_of`. Raises JobError `model_missing`."""
    found = file_of(request, kind, name)
    if found is None:
        raise JobError("model_missing", f"The job names the {kind} {name!r}, but no such file came with it.")
    return found


def _check(request: WorkRequest, settings: GenerationSettings) -> None:
    for script in scripts.running(request.parameters):
        if script.title not in KNOWN_SCRIPTS:
            message = f"This engine does not know the script {script.title!r}. Switch it off, and submit the job again."
            raise JobError("script_unknown", message)
    if settings.restore_faces:
        why = "Switch it off, and submit the job again."
        raise JobError("parameter_invalid", f"restore_faces: this engine restores no faces. {why}")
    if settings.steps > MOST_STEPS or settings.hr_second_pass_steps > MOST_STEPS:
        raise JobError("parameter_invalid", f"steps: this engine does at most {MOST_STEPS}.")
    # The noise of that size is drawn as a whole before it is cut.
    if (from_w := settings.seed_resize_from_w) > 0 and (from_h := settings.seed_resize_from_h) > 0:
        checked((from_w, from_h))


def _size(settings: GenerationSettings, default: Size) -> Size:
    width, height = settings.width or default[0], settings.height or default[1]
    return checked((max(GRID, width // GRID * GRID), max(GRID, height // GRID * GRID)))


def checked(size: Size) -> Size:
    """A size that is painted. Raises JobError `parameter_invalid` for more than MOST_PIXELS."""
    if size[0] * size[1] > MOST_PIXELS:
        raise JobError(
            "parameter_invalid", f"This engine paints at most {MOST_PIXELS:,} pixels, not {size[0]}x{size[1]}."
        )
    return size


def _prompts(positive: str, negative: str, comments: bool, plain: bool) -> Prompts:
    text, uses = read(positive, comments=comments)
    # Tags of a negative prompt are words, as in the WebUI.
    return Prompts(text, without_comments(negative, comments), () if plain else tuple(uses))


def _hires(request: WorkRequest, plan: Plan, comments: bool) -> Hires:
    settings = plan.settings
    size, cut = _hires_sizes(settings, plan.size)
    sampler, scheduler = plan.sampler, plan.scheduler
    named, schedule = own_choice(settings.hr_sampler_name), own_choice(settings.hr_scheduler)
    if named or schedule:
        sampler, scheduler = resolve(named or settings.sampler, schedule or settings.scheduler)
    prompts = _prompts(
        settings.hr_prompt or settings.prompt,
        settings.hr_negative_prompt or settings.negative_prompt,
        comments,
        settings.disable_extra_networks,
    )
    upscaler = settings.hr_upscaler or "Latent"
    if needs_file(upscaler):
        needed_file(request, "upscaler", upscaler)
    checkpoint = own_choice(settings.hr_checkpoint_name)
    return Hires(
        size=checked(size),
        cut=cut,
        upscaler=upscaler,
        steps=settings.hr_second_pass_steps if settings.hr_second_pass_steps > 0 else settings.steps,
        sampler=sampler,
        scheduler=scheduler,
        prompts=prompts,
        checkpoint=needed_file(request, "stable-diffusion", checkpoint) if checkpoint else None,
        named=_is_named(named or settings.sampler, schedule or settings.scheduler),
    )


def _hires_sizes(settings: GenerationSettings, size: Size) -> tuple[Size, Size]:
    """The size that the picture is enlarged to, and the one it is cut to: another one only where both sides are given
    and have other proportions."""
    (width, height), cut = size, hires_size_of(settings, size)
    if not (settings.hr_resize_x and settings.hr_resize_y):
        return _grid(cut), _grid(cut)
    if width * cut[1] < cut[0] * height:
        return _grid((cut[0], cut[0] * height // width)), _grid(cut)
    return _grid((cut[1] * width // height, cut[1])), _grid(cut)


def _grid(size: Size) -> Size:
    return max(GRID, size[0] // GRID * GRID), max(GRID, size[1] // GRID * GRID)


def _is_named(sampler: str, scheduler: str | None) -> bool:
    return labels(sampler, scheduler)[1] != AUTOMATIC


def _refiner(request: WorkRequest, settings: GenerationSettings) -> Refiner | None:
    name, at = own_choice(settings.refiner_checkpoint), settings.refiner_switch_at
    for script in scripts.running(request.parameters):
        if script.title == REFINER and len(script.args) > 1 and isinstance(script.args[1], str):
            name, at = own_choice(script.args[1]), script.args[2] if len(script.args) > 2 else None
    if name is None:
        return None
    options = settings.override_settings
    share = 0.8 if at is None else at
    if not isinstance(share, int | float) or not 0 <= share <= 1:
        raise JobError("parameter_invalid", "refiner_switch_at: must be between 0 and 1.")
    passes = options.get("hires_fix_refiner_pass", "second pass")
    if passes not in ("first pass", "second pass", "both passes"):
        raise JobError("parameter_invalid", f"hires_fix_refiner_pass: {passes!r} is no pass.")
    by_steps = options.get("refiner_switch_by_sample_steps") is True
    return Refiner(needed_file(request, "stable-diffusion", name), float(share), by_steps, passes)


def controls_of(request: WorkRequest) -> Iterator[dict[str, Any]]:
    """The ControlNet units of a job that are switched on, as they stand in the body."""
    for script in scripts.running(request.parameters):
        if script.title == CONTROLNET:
            for unit, _ in scripts.units(script):
                yield unit


def _multiplier(request: WorkRequest, settings: GenerationSettings) -> float:
    """What the first noise of img2img is multiplied with: a field, or an option."""
    if request.type != "img2img":
        return 1.0
    said = request.parameters.get("initial_noise_multiplier")
    value = settings.override_settings.get("initial_noise_multiplier", 1.0) if said is None else said
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 10:
        raise JobError("parameter_invalid", "initial_noise_multiplier: must be a number from 0 to 10.")
    return float(value)
