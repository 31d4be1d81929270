"""The options of the WebUI that change how pictures are described. Needs no torch."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from worker.checked import checked, options_said
from worker.errors import JobError

Whole = Annotated[int, Field(ge=0, lt=2**31)]


class InterrogateOptions(BaseModel):
    """The options by the WebUI's names (modules/shared_options.py), with its defaults and the limits of its sliders.

    A caption has between `interrogate_clip_min_length` and `_max_length` tokens, with the four that it begins with.
    `interrogate_clip_dict_limit` is how many lines of each list are looked at, 0 for all of them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    interrogate_return_ranks: bool = False
    interrogate_clip_num_beams: Annotated[int, Field(ge=1, le=16)] = 1
    interrogate_clip_min_length: Annotated[int, Field(ge=1, le=128)] = 24
    interrogate_clip_max_length: Annotated[int, Field(ge=1, le=256)] = 48
    interrogate_clip_dict_limit: Whole = 1500
    interrogate_clip_skip_categories: list[str] = []
    interrogate_deepbooru_score_threshold: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.5
    deepbooru_sort_alpha: bool = True
    deepbooru_use_spaces: bool = True
    deepbooru_escape: bool = True
    deepbooru_filter_tags: Annotated[str, Field(max_length=100_000)] = ""


def interrogate_options_of(parameters: Mapping[str, Any]) -> InterrogateOptions:
    """The options in a body's `override_settings`, which the WebUI has for other calls and Darkroom for this one, too.
    Raises JobError `parameter_invalid`, which names each wrong one."""
    options = checked(InterrogateOptions, options_said(parameters), "these options")
    if options.interrogate_clip_min_length > options.interrogate_clip_max_length:
        why = "interrogate_clip_min_length is above interrogate_clip_max_length"
        raise JobError("parameter_invalid", f"The worker cannot use these options: {why}.")
    return options
