"""The body of the WebUI's own `/sdapi/v1/txt2img` and `/img2img`, as job parameters.

Field names, defaults and meanings are the WebUI's (modules/api/models.py there). What Darkroom knows
is typed and bounded here; what it does not know is kept and passed on. Every known field may be null,
as the WebUI writes fields that stand at their default.
"""

import math
from collections.abc import Iterable
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from darkroom.jobs.contract import MAX_PAINTED

Side = Annotated[int, Field(ge=64, le=2048)]
ExtrasSide = Annotated[int, Field(ge=1, le=8192)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=-1, le=2**63 - 1)]
Real = Annotated[float, Field(ge=-1e9, le=1e9, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=100_000)]
_STEP = 8
_SIDES = ("width", "height", "hr_resize_x", "hr_resize_y")
Picture = Annotated[str | dict[str, Any], Field(description="base64, a data URI, or `image:<name>`")]


class Parameters(BaseModel):
    """The fields of a generation that Darkroom knows; unknown ones are welcome."""

    model_config = ConfigDict(extra="allow")

    prompt: Text | None = None
    negative_prompt: Text | None = None
    styles: list[str] | None = None
    seed: Seed | None = None
    subseed: Seed | None = None
    subseed_strength: Share | None = None
    seed_resize_from_h: int | None = None
    seed_resize_from_w: int | None = None
    sampler_name: str | None = None
    sampler_index: str | None = None
    scheduler: str | None = None
    steps: Annotated[int, Field(ge=1, le=150)] | None = None
    width: Side | None = None
    height: Side | None = None
    batch_size: Annotated[int, Field(ge=1, le=8)] | None = None
    n_iter: Annotated[int, Field(ge=1, le=100)] | None = None
    cfg_scale: Annotated[float, Field(ge=0, le=30, allow_inf_nan=False)] | None = None
    image_cfg_scale: Annotated[float, Field(ge=0, le=30, allow_inf_nan=False)] | None = None
    denoising_strength: Share | None = None
    restore_faces: bool | None = None
    tiling: bool | None = None
    eta: Real | None = None
    s_churn: Real | None = None
    s_tmin: Real | None = None
    s_tmax: float | None = None
    s_noise: Real | None = None
    s_min_uncond: Real | None = None
    enable_hr: bool | None = None
    hr_scale: Annotated[float, Field(ge=1, le=8, allow_inf_nan=False)] | None = None
    hr_upscaler: str | None = None
    hr_second_pass_steps: Annotated[int, Field(ge=0, le=150)] | None = None
    hr_resize_x: Annotated[int, Field(ge=0, le=4096)] | None = None
    hr_resize_y: Annotated[int, Field(ge=0, le=4096)] | None = None
    init_images: list[Picture] | None = None
    mask: Picture | None = None
    image: Picture | None = None
    resize_mode: Annotated[int, Field(ge=0, le=3)] | None = None
    mask_blur: Annotated[int, Field(ge=0, le=64)] | None = None
    mask_blur_x: Annotated[int, Field(ge=0, le=64)] | None = None
    mask_blur_y: Annotated[int, Field(ge=0, le=64)] | None = None
    inpainting_fill: Annotated[int, Field(ge=0, le=3)] | None = None
    inpaint_full_res: bool | None = None
    inpaint_full_res_padding: Annotated[int, Field(ge=0, le=256)] | None = None
    inpainting_mask_invert: Annotated[int, Field(ge=0, le=1)] | None = None
    initial_noise_multiplier: Real | None = None
    upscaling_resize: Annotated[float, Field(gt=0, le=8192, allow_inf_nan=False)] | None = None
    upscaling_resize_w: ExtrasSide | None = None
    upscaling_resize_h: ExtrasSide | None = None
    upscaling_crop: bool | None = None
    upscaler_1: str | None = None
    upscaler_2: str | None = None
    extras_upscaler_2_visibility: Share | None = None
    gfpgan_visibility: Share | None = None
    codeformer_visibility: Share | None = None
    codeformer_weight: Share | None = None
    override_settings: dict[str, Any] | None = None
    override_settings_restore_afterwards: bool | None = None
    script_name: str | None = None
    script_args: list[Any] | None = None
    alwayson_scripts: dict[str, Any] | None = None
    send_images: bool | None = None
    save_images: bool | None = None

    @field_validator("n_iter", mode="after")
    @classmethod
    def _pictures_in_all(cls, n_iter: int | None, info: ValidationInfo) -> int | None:
        batch = info.data.get("batch_size") or 1
        if n_iter and batch * n_iter > MAX_PAINTED:
            raise ValueError(f"{batch} pictures at a time, {n_iter} times, are more than {MAX_PAINTED}")
        return n_iter

    def fields(self) -> dict[str, Any]:
        """What the caller sent, typed, with nothing added; numbers that JSON cannot say become strings."""
        return {name: _sayable(value) for name, value in self.model_dump(exclude_unset=True).items()}


def _sayable(value: Any) -> Any:
    """Infinity and NaN as the strings that pydantic and the WebUI read back as numbers: JSON has no word for them."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {key: _sayable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_sayable(item) for item in value]
    return value


def without_idle(fields: dict[str, Any], idle: Iterable[str]) -> dict[str, Any]:
    """The body without those of the `idle` fields, which decide nothing, whose values are out of their bounds."""
    wrong = {name for name in idle if name in Parameters.model_fields and not _fits(name, fields[name])}
    return {name: value for name, value in fields.items() if name not in wrong}


def rounded(fields: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body with its sides rounded down to multiples of 8, as the WebUI does, and a sentence for each that was."""
    sides = {name: value for name in _SIDES if type(value := fields.get(name)) is int and value % _STEP}
    notices = (
        f"`{name}` {value} was rounded down to {value - value % _STEP}, a multiple of {_STEP}, as in the WebUI."
        for name, value in sides.items()
    )
    return {**fields, **{name: value - value % _STEP for name, value in sides.items()}}, tuple(notices)


def passed_on_styles(fields: dict[str, Any]) -> tuple[str, ...]:
    """A sentence about the styles of a body, if it names any. The WebUI takes them from a file of its own
    (`styles.csv`), which Darkroom does not have."""
    styles = [name for name in fields.get("styles") or () if name.strip() and name != "None"]
    if not styles:
        return ()
    named = ", ".join(styles[:5]) + (", …" if len(styles) > 5 else "")
    return (f"`styles` ({named[:200]}) are passed on by name: what they stand for is not added to the prompt here.",)


@cache
def _type_of(name: str) -> TypeAdapter[Any]:
    """Made when a body first needs it: all sixty of them would take a cold function 10 ms."""
    field = Parameters.model_fields[name]
    return TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]


def _fits(name: str, value: Any) -> bool:
    try:
        _type_of(name).validate_python(value)
    except ValidationError:
        return False
    return True
