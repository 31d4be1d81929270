"""Extras by the preview engine: Pillow's own resizing, and a word about what it did not do."""

from PIL import Image

from worker.engines import Painting, Task
from worker.enlarging import EnlargingSettings, enlarged_size, enlarging_infotext, enlarging_settings_of
from worker.pictures import encode, flatten, thumbnail


def enlarge(task: Task, picture: Image.Image) -> Painting:
    """The picture of an extras job. Its infotext begins with the one that the picture brought."""
    settings = enlarging_settings_of(task.request)
    image = flatten(picture)
    if settings.enlarges:
        part, size = enlarged_size(image.size, settings)
        task.step(0.1)
        image = image.resize(size, Image.Resampling.LANCZOS, box=part)
    brought = picture.info.get("parameters")
    texts = [brought if isinstance(brought, str) else "", enlarging_infotext(settings)]
    text = "\n".join(text for text in texts if text)
    return Painting(
        encode(image, text, lambda: task.step(0.5)), image.width, image.height, None, text, thumbnail(image)
    )


def enlarging_notices(settings: EnlargingSettings) -> list[str]:
    """Sentences about what the preview engine did otherwise than the body says."""
    notices = []
    if not settings.enlarges:
        notices.append("No upscaler is named in upscaler_1, so the picture keeps its size.")
    else:
        names = " and ".join(name[:100] for name in settings.upscalers)
        if names != "Lanczos":
            notices.append(f"This is a preview: it was resized with Lanczos, not with {names}.")
    if settings.restores_faces:
        notices.append("This is a preview: no face was restored.")
    return notices
