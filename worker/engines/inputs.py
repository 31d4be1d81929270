"""The pictures that a job comes with, as every engine takes them."""

from PIL import Image

from worker.engines import Task
from worker.errors import JobError
from worker.pictures import difference, flatten, mask_of


def masked(task: Task, init: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The picture that a masked job starts from (RGB), and its mask (L, 255 = repaint): the one it was given, or where
    the sketch differs from `init`. JobError `image_missing`, `sizes_differ`."""
    invert = task.settings.inpainting_mask_invert
    if task.request.mode == "inpaint_sketch":
        drawn = _same_size(task, "sketch", init)
        sketch = flatten(drawn, paper=init)
        return sketch, mask_of(difference(sketch, init), invert=invert)
    return init, mask_of(_same_size(task, "mask", init), invert=invert)


def _same_size(task: Task, name: str, init: Image.Image) -> Image.Image:
    picture = picture_of(task, name)
    if picture.size != init.size:
        sizes = f"{picture.width}x{picture.height} and {init.width}x{init.height}"
        raise JobError("sizes_differ", f"The images '{name}' and 'init' must be of one size, not {sizes}.")
    return picture


def picture_of(task: Task, name: str) -> Image.Image:
    """The picture `name` of the job. JobError `image_missing`."""
    if name not in task.pictures:
        raise JobError("image_missing", f"This job needs the image '{name}', and it came without.")
    return task.pictures[name]
