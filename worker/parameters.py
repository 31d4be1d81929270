"""The fields of a WebUI body (`/sdapi/v1/txt2img`, `/img2img`) that a worker uses, with the WebUI's defaults."""

import hashlib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from darkroom.jobs.contract import MAX_PAINTED, WorkRequest, starting_pictures
from darkroom.webui.sizes import hires_size
from worker.checked import checked, without_nulls
from worker.errors import JobError

MASKED_MODES = frozenset({"inpaint", "inpaint_upload", "inpaint_sketch"})

MAX_TEXT = 100_000
MAX_NAME = 1_000
"""A prompt's and a name's characters: every picture carries all of the text."""

Side = Annotated[int, Field(ge=8, le=8192)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Real = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Name = Annotated[str, Field(max_length=MAX_NAME)]
# Python refuses to write numbers of thousands of digits.
Whole = Annotated[int, Field(ge=-(2**63), lt=2**63)]
SEEDS = 4294967294
"""The WebUI chooses a missing seed below this number."""


class GenerationSettings(BaseModel):
    """One job's parameters. Unknown fields are ignored, `null` means the default, as in the WebUI's API."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompt: Text = ""
    negative_prompt: Text = ""
    seed: Whole = -1
    subseed: Whole = -1
    subseed_strength: Real = 0.0
    seed_resize_from_w: Whole = -1
    seed_resize_from_h: Whole = -1
    steps: Annotated[Whole, Field(ge=1)] = 50
    cfg_scale: Real = 7.0
    sampler_name: Name | None = None
    sampler_index: Name = "Euler"
    scheduler: Name | None = None
    width: Side | None = None
    height: Side | None = None
    batch_size: Annotated[int, Field(ge=1, le=MAX_PAINTED)] = 1
    n_iter: Annotated[int, Field(ge=1, le=MAX_PAINTED)] = 1
    restore_faces: bool = False
    tiling: bool = False
    denoising_strength: Share = 0.75
    resize_mode: Annotated[int, Field(ge=0, le=3)] = 0
    mask_blur: Annotated[int, Field(ge=0, le=512)] | None = None
    mask_blur_x: Annotated[int, Field(ge=0, le=512)] = 4
    mask_blur_y: Annotated[int, Field(ge=0, le=512)] = 4
    inpainting_fill: Annotated[int, Field(ge=0, le=3)] = 0
    inpaint_full_res: bool = True
    inpaint_full_res_padding: Whole = 0
    inpainting_mask_invert: bool = False
    enable_hr: bool = False
    hr_scale: Annotated[Real, Field(ge=1, le=8)] = 2.0
    hr_resize_x: Annotated[int, Field(ge=0, le=8192)] = 0
    hr_resize_y: Annotated[int, Field(ge=0, le=8192)] = 0
    hr_upscaler: Name | None = None
    hr_second_pass_steps: Whole = 0
    hr_sampler_name: Name | None = None
    hr_scheduler: Name | None = None
    hr_checkpoint_name: Name | None = None
    hr_prompt: Text = ""
    hr_negative_prompt: Text = ""
    refiner_checkpoint: Name | None = None
    refiner_switch_at: Real | None = None
    disable_extra_networks: bool = False
    override_settings: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, data: Any) -> Any:
        return without_nulls(data) if isinstance(data, dict) else data

    @property
    def sampler(self) -> str:
        """The sampler's name; old bodies call it `sampler_index`."""
        return self.sampler_name or self.sampler_index

    @property
    def blur(self) -> tuple[int, int]:
        """Mask blur in pixels, across and down."""
        if self.mask_blur is not None:
            return self.mask_blur, self.mask_blur
        return self.mask_blur_x, self.mask_blur_y

    @property
    def clip_skip(self) -> int:
        """Layers of CLIP left out, counted as the WebUI does (1: none)."""
        value = self.override_settings.get("CLIP_stop_at_last_layers")
        return value if isinstance(value, int) and abs(value) < 2**63 else 1


def settings_of(request: WorkRequest) -> GenerationSettings:
    """The job's parameters, checked. Raises JobError `parameter_invalid`, which names each invalid field.

    As in the WebUI, a batch that starts from several pictures has as many pictures as these, even if `batch_size` is
    larger.
    """
    settings = checked(GenerationSettings, request.parameters, "these parameters")
    starts = len(starting_pictures(request.parameters)) if request.type == "img2img" else 1
    if starts > settings.batch_size:
        message = f"init_images has {starts} pictures, but batch_size is only {settings.batch_size}."
        raise JobError("parameter_invalid", message)
    if starts > 1:
        settings = settings.model_copy(update={"batch_size": starts})
    count = settings.batch_size * settings.n_iter
    if count > MAX_PAINTED:
        message = f"batch_size times n_iter is {count}, and a job makes at most {MAX_PAINTED} pictures."
        raise JobError("parameter_invalid", message)
    return settings


def hires_size_of(settings: GenerationSettings, size: tuple[int, int]) -> tuple[int, int]:
    """The size (width, height) after the second pass of a picture of `size`."""
    width, height = hires_size(
        *size, scale=settings.hr_scale, resize_x=settings.hr_resize_x, resize_y=settings.hr_resize_y
    )
    return int(width), int(height)


def is_masked(request: WorkRequest) -> bool:
    """Whether the job repaints only a part of its picture."""
    return request.type == "img2img" and (request.mode in MASKED_MODES or "mask" in request.images)


def seeds_of(request: WorkRequest, settings: GenerationSettings) -> list[tuple[int, int]]:
    """Seed and variation seed of every picture, in order.

    From picture to picture the WebUI increases the seed, or only the variation seed when there is a variation strength.
    A missing seed is derived from the job's id and not random, so that a second attempt paints the same picture.
    """
    seed = settings.seed if settings.seed >= 0 else _derived_seed(request.job_id, "seed")
    subseed = settings.subseed if settings.subseed >= 0 else _derived_seed(request.job_id, "subseed")
    count = settings.batch_size * settings.n_iter
    return [(seed + (0 if settings.subseed_strength else n), subseed + n) for n in range(count)]


def _derived_seed(job_id: str, what: str) -> int:
    digest = hashlib.sha256(f"{what} of {job_id}".encode()).digest()
    return int.from_bytes(digest[:8]) % SEEDS
