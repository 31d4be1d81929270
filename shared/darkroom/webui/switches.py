"""Fields of a body that decide nothing, for what they belong to is switched off.

From the WebUI's modules/processing.py: the fields of the second pass count only with `enable_hr`, those of the mask
only with a mask, and each call has fields that the other lacks.
"""

from collections.abc import Iterator
from typing import Any

from darkroom.webui.calls import CALL_OF, CALLS
from darkroom.webui.truth import is_true

_MASK = (
    "mask_blur",
    "mask_blur_x",
    "mask_blur_y",
    "mask_round",
    "inpainting_fill",
    "inpaint_full_res",
    "inpaint_full_res_padding",
    "inpainting_mask_invert",
)
_HIRES = ("firstphase_width", "firstphase_height", "denoising_strength")


def switched_off(call: str, fields: dict[str, Any], masked: bool) -> Iterator[str]:
    """The names of the fields in a body that decide nothing; `call` is the type of the job. `masked` tells whether it
    has a mask beside the body. Nothing for types that take no body of their own."""
    if call not in CALL_OF:
        return
    own = CALLS[CALL_OF[call]]
    hires = call == "txt2img" and is_true(fields.get("enable_hr"))
    for name in fields:
        second_pass = name.startswith("hr_") or (name in _HIRES and call == "txt2img")
        if (
            (second_pass and not hires)
            or (name in _MASK and not (masked or fields.get("mask")))
            or (name == "subseed" and not fields.get("subseed_strength"))
            or (name == "refiner_switch_at" and not fields.get("refiner_checkpoint"))
            or (name not in own and any(name in fields_of for fields_of in CALLS.values()))
        ):
            yield name
