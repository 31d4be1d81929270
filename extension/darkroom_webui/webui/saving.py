"""Save and Zip: the WebUI encodes pictures anew when it saves them. For a picture of the cloud, the file gets the
cloud's own bytes and extension instead."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from darkroom_webui.results import FILES, FOLDER, is_name

Folders = Callable[[], "list[Path]"]


def keep_bytes(folders: Folders) -> None:
    """From now on, pictures that are saved from a gallery keep the bytes of their files in these folders."""
    from modules import script_callbacks

    def before(params: Any) -> None:
        source = _source(params, folders())
        if source:
            params.filename = str(Path(params.filename).with_suffix(source.suffix))

    def after(params: Any) -> None:
        source = _source(params, folders())
        # The WebUI may have chosen another name than it said, where a file was there already.
        saved = Path(getattr(params.image, "already_saved_as", None) or params.filename)
        if source and saved.is_file() and saved.suffix == source.suffix:
            draft = saved.with_name(f"{saved.name}.{os.getpid()}.new")
            draft.write_bytes(source.read_bytes())
            draft.replace(saved)

    script_callbacks.on_before_image_saved(before)
    script_callbacks.on_image_saved(after)


def _source(params: Any, folders: "list[Path]") -> "Path | None":
    """The cloud's file of the picture that is saved, None for any other picture."""
    names = getattr(params.p, FILES, None)
    number = getattr(params.p, "batch_index", None)
    if not isinstance(names, list) or not isinstance(number, int) or not 0 <= number + 1 < len(names):
        return None
    # Save counts from the picture before the first, because a grid may be first.
    name = names[number + 1]
    if not is_name(name):
        return None
    path = next((path for folder in folders if (path := folder / FOLDER / name).is_file()), None)
    return path if path and _same(params.image, path) else None


def _same(image: Any, path: Path) -> bool:
    """Whether a picture has the pixels of a file: another script may have changed it."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=["png", "jpeg", "webp", "gif"]) as stored:
            return stored.size == image.size and _pixels(stored) == _pixels(image)
    except UnidentifiedImageError:
        return False


def _pixels(image: Any) -> bytes:
    """All pixels without their lowest bits: Forge writes the infotext there before it saves a picture."""
    return bytes(image.convert("RGBA").point(lambda value: value | 1).tobytes())
