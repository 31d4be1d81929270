"""What extensions are called for."""

import traceback
from collections.abc import Callable
from typing import Any

_callbacks: dict[str, list[Callable[..., None]]] = {}


class ImageSaveParams:
    """A picture that is about to be saved, or was."""

    def __init__(self, image: Any, p: Any, filename: str, pnginfo: dict[str, str]) -> None:
        self.image = image
        self.p = p
        self.filename = filename
        self.pnginfo = pnginfo


def on_app_started(callback: Callable[..., None]) -> None:
    """Call this with the page and the FastAPI application once they run."""
    _callbacks.setdefault("app_started", []).append(callback)


def on_before_image_saved(callback: Callable[..., None]) -> None:
    """Call this before a picture is saved."""
    _callbacks.setdefault("before_image_saved", []).append(callback)


def on_image_saved(callback: Callable[..., None]) -> None:
    """Call this after a picture was saved."""
    _callbacks.setdefault("image_saved", []).append(callback)


def call(name: str, *arguments: Any) -> None:
    """Call everybody. An error is printed and stops nothing, as in the WebUI."""
    for callback in _callbacks.get(name, []):
        try:
            callback(*arguments)
        except Exception:
            traceback.print_exc()
