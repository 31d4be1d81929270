"""The ControlNet units of a body: the fields of the extension's API and of Forge's, checked. Needs no torch."""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from darkroom.jobs.contract import IMAGE_REFERENCE, ModelFile, WorkRequest
from worker.checked import checked, without_nulls
from worker.engines.diffusers.control.names import DEPTH, OPENPOSE, Fit, Preprocessor, notice, preprocessor
from worker.engines.diffusers.plan import needed_file
from worker.errors import FILES_MISSING, JobError

MOST_UNITS = 10
"""As many as the extension's page can show."""


class Mode(StrEnum):
    """What is more important: prompt or ControlNet."""

    BALANCED = "balanced"
    PROMPT = "my prompt is more important"
    CONTROL = "controlnet is more important"


class Passes(StrEnum):
    """Which passes of hires fix a unit takes part in."""

    BOTH = "both"
    FIRST = "low res only"
    SECOND = "high res only"


_FITS = {
    "just resize": Fit.STRETCH,
    "crop and resize": Fit.CROP,
    "inner fit (scale to fit)": Fit.CROP,
    "scale to fit (inner fit)": Fit.CROP,
    "resize and fill": Fit.FILL,
    "outer fit (shrink to fit)": Fit.FILL,
    "envelope (outer fit)": Fit.FILL,
    "just resize (latent upscale)": Fit.STRETCH,
}
_FIT_NAMES = {Fit.STRETCH: "Just Resize", Fit.CROP: "Crop and Resize", Fit.FILL: "Resize and Fill"}
_MODE_NAMES = {
    Mode.BALANCED: "Balanced",
    Mode.PROMPT: "My prompt is more important",
    Mode.CONTROL: "ControlNet is more important",
}
_ALIASES = {
    "input_image": "image",
    "preprocessor": "module",
    "guidance": "guidance_end",
    "lowvram": "low_vram",
}
_NONE = frozenset({"", "none"})
_HASH = re.compile(r"\s*\[[0-9a-fA-F]+\]$")


class Unit(BaseModel):
    """One unit. Unknown fields are ignored, and `null` means the default. `picture`, `mask` and `regions` are names of
    the job's pictures: what the unit looks at, what was scribbled over it, and where in the result the unit counts (of
    several regions the first that is not empty); `drawn` is a transparent layer over the picture, as Forge has it.
    `stretched_region`: the region is stretched to the result whatever its proportions.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    module: str = "none"
    model: str = "None"
    weight: Annotated[float, Field(ge=0, le=2)] = 1.0
    resize_mode: Fit = Fit.CROP
    processor_res: Annotated[float, Field(allow_inf_nan=False)] = -1
    threshold_a: Annotated[float, Field(allow_inf_nan=False)] = -1
    threshold_b: Annotated[float, Field(allow_inf_nan=False)] = -1
    guidance_start: Annotated[float, Field(ge=0, le=1)] = 0.0
    guidance_end: Annotated[float, Field(ge=0, le=1)] = 1.0
    pixel_perfect: bool = False
    control_mode: Mode = Mode.BALANCED
    inpaint_crop_input_image: bool = True
    hr_option: Passes = Passes.BOTH
    advanced_weighting: list[float] | None = None
    picture: str | None = None
    mask: str | None = None
    drawn: str | None = None
    regions: tuple[str, ...] = ()
    stretched_region: bool = False

    @field_validator("resize_mode", mode="before")
    @classmethod
    def _fit(cls, value: Any) -> Any:
        return _FITS.get(value.strip().lower(), value) if isinstance(value, str) else (0 if value == 3 else value)

    @field_validator("control_mode", "hr_option", mode="before")
    @classmethod
    def _choice(cls, value: Any) -> Any:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("control_mode", mode="before")
    @classmethod
    def _numbered(cls, value: Any) -> Any:
        counts = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(Mode)
        return [*Mode][value] if counts else value

    @model_validator(mode="after")
    def _in_order(self) -> "Unit":
        if self.guidance_start > self.guidance_end:
            raise ValueError(f"guidance_start ({self.guidance_start}) is after guidance_end ({self.guidance_end})")
        return self

    @property
    def said(self) -> str:
        """What the text under a picture says of the unit, in the extension's form; empty where that cannot say it."""
        made = self.preprocessor
        values = {
            "Module": self.module,
            "Model": self.model,
            "Weight": self.weight,
            "Resize Mode": _FIT_NAMES[self.resize_mode],
            "Processor Res": _shortest(made.resolution.value(self.processor_res)),
            "Threshold A": made.a.value(self.threshold_a),
            "Threshold B": made.b.value(self.threshold_b),
            "Guidance Start": self.guidance_start,
            "Guidance End": self.guidance_end,
            "Pixel Perfect": self.pixel_perfect,
            "Control Mode": _MODE_NAMES[self.control_mode],
        }
        unsayable = any(sign in str(value) for value in values.values() for sign in ",:")
        return "" if unsayable else ", ".join(f"{name}: {value}" for name, value in values.items())

    @property
    def preprocessor(self) -> Preprocessor:
        """What makes the map of the picture. JobError `preprocessor_unknown`."""
        return preprocessor(self.module)


def units_of(request: WorkRequest, bodies: Sequence[Mapping[str, Any]]) -> list[tuple[Unit, ModelFile]]:
    """The units of a job and the files of their ControlNets.

    JobError `parameter_invalid`, `preprocessor_unknown`, `files_missing` or `model_missing` for what cannot be done,
    before anything is loaded.
    """
    if len(bodies) > MOST_UNITS:
        raise JobError("parameter_invalid", f"The job has {len(bodies)} ControlNet units; at most {MOST_UNITS} work.")
    found = []
    for number, body in enumerate(bodies, start=1):
        unit = _unit(number, body)
        if (purpose := unit.preprocessor.files) and not request.files.get(purpose):
            raise lacking(unit.module, purpose)
        if unit.model.strip().lower() in _NONE:
            raise JobError("model_missing", f"The ControlNet unit {number} names no model; choose one.")
        found.append((unit, _file(request, unit.model)))
    return found


def replacements(bodies: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the person is told of preprocessors that another one stands for."""
    told = [notice(str(body.get("module") or body.get("preprocessor") or "none")) for body in bodies]
    return [*dict.fromkeys(each for each in told if each)]


_UPLOADS = {
    OPENPOSE: (
        "a person detector (the model.safetensors of RT-DETR, such as rtdetr_r50vd_coco_o365) and a pose model "
        "(the model.safetensors of ViTPose, such as vitpose-base-simple)"
    ),
    DEPTH: "the model.safetensors of Depth Anything V2, such as Depth-Anything-V2-Small-hf",
}


def lacking(name: str, purpose: str, what: str | None = None) -> JobError:
    """The refusal of a preprocessor whose files are not there: it says what to upload. `what` is what is lacking of
    it."""
    message = (
        f"The ControlNet preprocessor {name} needs {what or _UPLOADS[purpose]}, which this stage does not have. "
        f"Upload each with: darkroom checkpoints upload --kind engine-file --for {purpose} FILE"
    )
    return JobError(FILES_MISSING, message)


def _shortest(number: float) -> float:
    """A whole number without its point."""
    return int(number) if number == int(number) else number


def _file(request: WorkRequest, name: str) -> ModelFile:
    try:
        return needed_file(request, "controlnet", name)
    except JobError:
        return needed_file(request, "controlnet", _HASH.sub("", name))


def _unit(number: int, body: Mapping[str, Any]) -> Unit:
    fields = without_nulls(body)
    for alias, name in _ALIASES.items():
        if alias in fields:
            fields.setdefault(name, fields[alias])
    if str(fields.get("input_mode", "simple")).rpartition(".")[2].lower() != "simple":
        raise JobError("parameter_invalid", f"ControlNet unit {number}: input_mode: one picture a unit, no batches.")
    return checked(Unit, {**fields, **_pictures(number, fields)}, f"the ControlNet unit {number}", "unit")


def _pictures(number: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The names of the unit's pictures, wherever they stand."""
    image, mask = fields.get("image"), fields.get("mask")
    if isinstance(image, list) and image and isinstance(image[0], dict):
        if len(image) > 1:
            message = f"ControlNet unit {number}: image: this engine takes one picture a unit."
            raise JobError("parameter_invalid", message)
        image = image[0]
    elif isinstance(image, list):
        image, mask = [*image, None, None][:2]
    found = {"picture": _named(image), "mask": _named(mask), "drawn": _named(fields.get("image_fg"))}
    if isinstance(image, dict):
        found["picture"] = _named(image.get("image")) or _named(image.get("background"))
        found["mask"] = found["mask"] or _named(image.get("mask"))
        found["drawn"] = found["drawn"] or _named(image.get("foreground"))
    if fields.get("use_preview_as_input") is True and (preview := _named(fields.get("generated_image"))):
        found["picture"], found["module"] = preview, "none"
    regions = [_named(fields.get(name)) for name in ("effective_region_mask", "mask_image_fg", "mask_image")]
    return {
        **found,
        "regions": tuple(name for name in regions if name),
        "stretched_region": regions[0] is not None,
    }


def _named(value: Any) -> str | None:
    """The name in a reference to a picture; None for what refers to none."""
    if isinstance(value, dict):
        value = value.get("image") or value.get("background") or value.get("composite")
    return value.removeprefix(IMAGE_REFERENCE) if isinstance(value, str) and value.startswith(IMAGE_REFERENCE) else None
