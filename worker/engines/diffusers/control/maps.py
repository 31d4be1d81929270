"""What a unit looks at, and the map that is made of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from darkroom.jobs.contract import starting_pictures
from worker.engines import Task
from worker.engines.diffusers.canvas import painted_part
from worker.engines.diffusers.control.arrays import Picture, Size, looked_at, pixel_perfect, three
from worker.engines.diffusers.control.names import Fit, Preprocessor
from worker.engines.diffusers.control.preprocessors import DRAW
from worker.engines.diffusers.control.units import Unit
from worker.engines.inputs import masked, picture_of
from worker.errors import JobError
from worker.parameters import is_masked
from worker.pictures import RESIZE_AND_FILL, fit, flatten, mask_of

Draw = Callable[[Preprocessor, Picture], Picture]
"""Draws the map of a picture with a preprocessor that needs model files."""
_BLACK, _WHITE = 5, 250
"""Shades up to the one count as black, from the other on as white."""


@dataclass(frozen=True)
class Look:
    """What a unit looks at: its picture, how its map comes to the size of the result, and the shades (H, W, 3) of where
    in the result it counts (None: everywhere)."""

    picture: Picture
    fit: Fit
    region: Picture | None


def look_of(task: Task, unit: Unit, number: int, size: Size) -> Look:
    """What a unit looks at: its own picture, else the one that img2img starts from, in the resize mode of img2img.

    Where only the masked part is painted, in `size`, that part of both. JobError `image_missing`, `sizes_differ`.
    """
    if unit.picture:
        picture, mode = _own(task, unit, number), unit.resize_mode
    elif task.request.type == "img2img":
        picture = flatten(picture_of(task, starting_pictures(task.request.parameters)[0]))
        mode = Fit(task.settings.resize_mode % len(Fit))
    else:
        raise JobError("image_missing", f"The ControlNet unit {number} is switched on, but has no picture.")
    region = _region(task, unit)
    if is_masked(task.request) and task.settings.inpaint_full_res and unit.inpaint_crop_input_image:
        picture = _part(task, picture, mode, size)
        region = None if region is None else _part(task, region, mode, size)
    return Look(np.asarray(picture), mode, None if region is None else np.asarray(region))


def map_of(unit: Unit, look: Look, size: Size, draw: Draw) -> Picture:
    """The map of what the unit looks at, for a result of `size`: in a size of its own, but in the picture's
    proportions."""
    made = unit.preprocessor
    a, b = made.a.value(unit.threshold_a), made.b.value(unit.threshold_b)
    if not made.sized:
        return DRAW[made.name](look.picture, a, b)
    resolution = int(made.resolution.value(unit.processor_res))
    if unit.pixel_perfect:
        resolution = max(1, pixel_perfect(look.picture, size, look.fit))
    seen, (width, height) = looked_at(look.picture, resolution)
    if not made.padded:
        seen = seen[:height, :width]
    drawn = draw(made, seen) if made.files else DRAW[made.name](seen, a, b)
    return drawn[:height, :width]


def _own(task: Task, unit: Unit, number: int) -> Image.Image:
    """The unit's picture. What was scribbled over it takes its place, as in the extension."""
    picture = flatten(picture_of(task, unit.picture or ""))
    if unit.drawn and np.asarray(picture).max() < _BLACK:
        layer = _layer(task, unit.drawn)
        picture = layer if np.asarray(layer).max() > _BLACK else picture
    if not unit.mask:
        return picture
    scribble = flatten(picture_of(task, unit.mask))
    if scribble.size != picture.size:
        sizes = f"{scribble.width}x{scribble.height} and {picture.width}x{picture.height}"
        message = f"Picture and mask of the ControlNet unit {number} must be of one size, not {sizes}."
        raise JobError("sizes_differ", message)
    shades = np.asarray(scribble)[:, :, 0]
    if (shades <= _BLACK).all() or (shades >= _WHITE).all():
        return picture
    return Image.fromarray(three(shades))


def _region(task: Task, unit: Unit) -> Image.Image | None:
    """Where the unit counts: the first of its regions that is not empty; in Forge also what is drawn over the
    picture."""
    for name in unit.regions:
        region = mask_of(picture_of(task, name), invert=False).convert("RGB")
        if np.asarray(region).max() > _BLACK:
            return region
    if unit.drawn and unit.picture and np.asarray(flatten(picture_of(task, unit.picture))).max() >= _BLACK:
        layer = _layer(task, unit.drawn)
        return layer if np.asarray(layer).max() > _BLACK else None
    return None


def _layer(task: Task, name: str) -> Image.Image:
    """Where a transparent layer is drawn on, as shades."""
    return picture_of(task, name).convert("RGBA").getchannel("A").convert("RGB")


def _part(task: Task, picture: Image.Image, mode: Fit, size: Size) -> Image.Image:
    """The part of a picture that lies where the masked part of the start is painted."""
    start = flatten(picture_of(task, starting_pictures(task.request.parameters)[0]))
    mask = masked(task, start)[1]
    box = painted_part(mask, task.settings, size)
    if box is None:
        return picture
    return fit(fit(picture, mask.size, mode).crop(box), size, RESIZE_AND_FILL)
