"""The options of the WebUI that change how prompts are read. Needs no torch."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from worker.checked import checked, options_said

Whole = Annotated[int, Field(ge=-(2**31), lt=2**31)]


class PromptOptions(BaseModel):
    """The options by the WebUI's names, with its defaults.

    `clip_skip` is `CLIP_stop_at_last_layers`, 1 for none. `sdxl_clip_l_skip` makes SDXL heed it too. The size and crop
    are what SDXL is told of the picture; the scores are what the refiner is told.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    emphasis: Literal["None", "Ignore", "Original", "No norm"] = "Original"
    clip_skip: Annotated[int, Field(ge=1, le=12, alias="CLIP_stop_at_last_layers")] = 1
    sdxl_clip_l_skip: bool = False
    comma_padding_backtrack: Annotated[int, Field(ge=0, le=75)] = 20
    use_old_scheduling: bool = False
    sdxl_crop_top: Whole = 0
    sdxl_crop_left: Whole = 0
    sdxl_refiner_low_aesthetic_score: float = 2.5
    sdxl_refiner_high_aesthetic_score: float = 6.0


def prompt_options_of(parameters: Mapping[str, Any]) -> PromptOptions:
    """The options in a body's `override_settings`. Raises JobError `parameter_invalid`, which names each wrong one."""
    return checked(PromptOptions, options_said(parameters), "these options")
