"""Saving pictures: they are encoded anew, with the infotext in them."""

import os
from pathlib import Path
from typing import Any

from modules import script_callbacks
from PIL import Image
from PIL.PngImagePlugin import PngInfo


def read(path: str) -> Any:
    """A picture from a file, as a copy that does not know its file."""
    with Image.open(path, formats=["png", "jpeg", "webp"]) as stored:
        return stored.copy()


def save_image(image: Any, folder: str, extension: str, info: str, p: Any) -> str:
    """Save a picture under the next free number; returns its path."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    number = len(list(Path(folder).iterdir()))
    params = script_callbacks.ImageSaveParams(image, p, f"{folder}/{number:05}.{extension}", {"parameters": info})
    script_callbacks.call("before_image_saved", params)
    stem, suffix = os.path.splitext(params.filename)
    texts = PngInfo()
    texts.add_text("parameters", info)
    form = {".png": {"format": "PNG", "pnginfo": texts}, ".webp": {"format": "WEBP"}}.get(suffix, {"format": "JPEG"})
    target = image if suffix == ".png" else image.convert("RGB")
    target.save(stem + suffix, **form)
    image.already_saved_as = stem + suffix
    script_callbacks.call("image_saved", params)
    return stem + suffix
