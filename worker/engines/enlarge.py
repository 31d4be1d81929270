"""Extras, as every engine does them: a picture enlarged by one upscaler or by a mixture of two."""

from collections.abc import Callable

from PIL import Image

from worker.engines import Painting, Task, painting
from worker.enlarging import Box, EnlargingSettings, Size, enlarged_size, enlarging_infotext, enlarging_settings_of
from worker.picture_files import PARAMETERS, POSTPROCESSING
from worker.pictures import flatten

Scale = Callable[[Image.Image, str, Box, Size], Image.Image]
"""Enlarges a part of a picture by an upscaler: the picture (RGB), the upscaler's name, the part, the size it gets."""


def lanczos(picture: Image.Image, name: str, part: Box, size: Size) -> Image.Image:
    """Pillow's own resizing, whatever the upscaler is called; only for `Nearest` pixels stay pixels."""
    way = Image.Resampling.NEAREST if name == "Nearest" else Image.Resampling.LANCZOS
    return picture.resize(size, way, box=part)


def enlarge(task: Task, picture: Image.Image, scale: Scale = lanczos) -> Painting:
    """The picture of an extras job. Its infotext begins with the one that the picture brought."""
    settings = enlarging_settings_of(task.request)
    image = flatten(picture)
    if settings.enlarges:
        part, size = enlarged_size(image.size, settings)
        task.step(0.1)
        first, *second = [scale(image, name, part, size) for name in settings.upscalers]
        image = Image.blend(first, second[0], settings.extras_upscaler_2_visibility) if second else first
    brought = picture.info.get("parameters")
    texts = [brought if isinstance(brought, str) else "", enlarging_infotext(settings)]
    text = "\n".join(text for text in texts if text)
    return painting(task, image, dict(zip((PARAMETERS, POSTPROCESSING), texts, strict=True)), text, 0.9)


def enlarging_notices(settings: EnlargingSettings) -> list[str]:
    """Sentences about what the body does not ask for."""
    return [] if settings.enlarges else ["No upscaler is named in upscaler_1, so the picture keeps its size."]
