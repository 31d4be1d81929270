"""Saving pictures: they are encoded anew, with the infotext in them."""

import os
import re
from pathlib import Path
from typing import Any

from modules import script_callbacks, shared
from PIL import Image
from PIL.PngImagePlugin import PngInfo


def read(path: str) -> Any:
    """A picture from a file, as a copy that does not know its file."""
    with Image.open(path, formats=["png", "jpeg", "webp"]) as stored:
        return stored.copy()


def read_infotext(text: str) -> dict[str, str]:
    """The fields of an infotext. Forge searches its own checkpoint's name for the one that the text names."""
    found = dict(re.findall(r"(\w[\w ]*): ([^,\n]+)", text.rpartition("\n")[2]))
    if "Model" in found and shared.FORGE and found["Model"] in shared.opts.sd_model_checkpoint:
        del found["Model"]
    return found


def _hide(image: Any, text: str) -> None:
    """Write a text into the lowest bits of the opacity, as Forge does before it tells anybody that it saves."""
    image.putalpha(255)
    pixels = image.load()
    bits = "".join(f"{byte:08b}" for byte in text.encode())
    for number, bit in enumerate(bits[: image.width * image.height]):
        x, y = divmod(number, image.height)
        pixels[x, y] = (*pixels[x, y][:3], 254 | int(bit))


def save_image(image: Any, folder: str, extension: str, info: str, p: Any) -> str:
    """Save a picture under the next free number; returns its path."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    number = len(list(Path(folder).iterdir()))
    if shared.FORGE and extension == "png":
        _hide(image, info)
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
