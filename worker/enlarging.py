"""The body of the WebUI's `/sdapi/v1/extra-single-image`: how large a picture gets, with the WebUI's defaults."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from darkroom.jobs.contract import WorkRequest
from worker.checked import checked, without_nulls
from worker.errors import JobError

TO_SIZE = 1
"""The `resize_mode` that enlarges to a size; 0 enlarges by a factor."""
MAX_SIDE = 8192
"""Pixels that a side of the result may have: where the WebUI's own slider ends."""
NO_UPSCALER = "None"

Size = tuple[int, int]
Box = tuple[float, float, float, float]
Visibility = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]
Name = Annotated[str, Field(max_length=1_000)]


class EnlargingSettings(BaseModel):
    """One extras job's parameters. Unknown fields are ignored, `null` means the default, as in the WebUI's API."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    resize_mode: Literal[0, 1] = 0
    upscaling_resize: Annotated[float, Field(gt=0, le=MAX_SIDE, allow_inf_nan=False)] = 2.0
    upscaling_resize_w: Side = 512
    upscaling_resize_h: Side = 512
    upscaling_crop: bool = True
    upscaler_1: Name = NO_UPSCALER
    upscaler_2: Name = NO_UPSCALER
    extras_upscaler_2_visibility: Visibility = 0.0
    gfpgan_visibility: Visibility = 0.0
    codeformer_visibility: Visibility = 0.0
    codeformer_weight: Visibility = 0.0

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, data: Any) -> Any:
        return without_nulls(data) if isinstance(data, dict) else data

    @property
    def enlarges(self) -> bool:
        """Whether the picture changes its size: the WebUI leaves it as it is when no first upscaler is named."""
        return self.upscaler_1 != NO_UPSCALER

    @property
    def upscalers(self) -> list[str]:
        """The names of the upscalers that have a part in the result."""
        second = self.upscaler_2 != NO_UPSCALER and self.extras_upscaler_2_visibility > 0
        return [self.upscaler_1, *([self.upscaler_2] if second else [])] if self.enlarges else []

    @property
    def restores_faces(self) -> bool:
        """Whether a face restorer is asked for."""
        return self.gfpgan_visibility > 0 or self.codeformer_visibility > 0


def enlarging_settings_of(request: WorkRequest) -> EnlargingSettings:
    """The job's parameters, checked; a JobError `parameter_invalid` names each field that is wrong."""
    return checked(EnlargingSettings, request.parameters, "these parameters")


def enlarged_size(size: Size, settings: EnlargingSettings) -> tuple[Box, Size]:
    """The part of a picture of `size` pixels that is enlarged (left, top, right, bottom), and the size that it gets.

    Without a cut, sides are rounded down to multiples of 8 as in the WebUI. With one, the result is filled to its
    edges, where the WebUI may leave some black pixels. JobError `parameter_invalid` for a result that is too large.
    """
    asked = (settings.upscaling_resize_w, settings.upscaling_resize_h)
    to_size = settings.resize_mode == TO_SIZE
    factor = max(asked[0] / size[0], asked[1] / size[1]) if to_size else settings.upscaling_resize
    if to_size and settings.upscaling_crop:
        left, top = (size[0] - asked[0] / factor) / 2, (size[1] - asked[1] / factor) / 2
        return (max(0.0, left), max(0.0, top), min(size[0], size[0] - left), min(size[1], size[1] - top)), asked
    # Without the last digits: 3 times a third is a whole again.
    width, height = (max(8, int(round(side * factor, 6)) // 8 * 8) for side in size)
    if max(width, height) > MAX_SIDE:
        raise JobError("parameter_invalid", f"It would get {width}x{height} pixels; a side has at most {MAX_SIDE}.")
    return (0.0, 0.0, *size), (width, height)


def enlarging_infotext(settings: EnlargingSettings) -> str:
    """What the WebUI writes into the picture as `postprocessing`."""
    if not settings.enlarges:
        return ""
    to_size = settings.resize_mode == TO_SIZE
    size = f"{settings.upscaling_resize_w}x{settings.upscaling_resize_h}"
    by = f"Postprocess upscale to: {size}" if to_size else f"Postprocess upscale by: {settings.upscaling_resize:g}"
    crop = [f"Postprocess crop to: {size}"] if to_size and settings.upscaling_crop else []
    names = [
        f"Postprocess upscaler{number}: {name}" for number, name in zip(("", " 2"), settings.upscalers, strict=False)
    ]
    return ", ".join([by, *crop, *names])
