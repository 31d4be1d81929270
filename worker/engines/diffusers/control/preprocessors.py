"""What each preprocessor makes of a picture without a model.

Pictures are arrays (H, W, 3) of bytes. From the extension's scripts/preprocessor.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from worker.engines.diffusers.control.arrays import Picture, three


def _canny(picture: Picture, low: float, high: float) -> Picture:
    return three(cv2.Canny(picture, int(low), int(high)))


def _inverted(picture: Picture, *_: float) -> Picture:
    return 255 - picture


def _same(picture: Picture, *_: float) -> Picture:
    return picture


def _smaller(picture: Picture, rate: float, _: float) -> Picture:
    """The picture `rate` times smaller: enlarged again, it has lost its details."""
    if rate < 1.1:
        return picture
    height, width = picture.shape[:2]
    size = max(1, int(width / rate)), max(1, int(height / rate))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _blurred(picture: Picture, sigma: float, _: float) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def _threshold(picture: Picture, level: float, _: float) -> Picture:
    return _white_where(picture.min(axis=2) > level)


def _xdog(picture: Picture, level: float, _: float) -> Picture:
    """White where the picture, softened a little, is darker in one of its colours than softened much."""
    exact = picture.astype(np.float32)
    fine, coarse = cv2.GaussianBlur(exact, (0, 0), 0.5), cv2.GaussianBlur(exact, (0, 0), 5.0)
    # Shades are cut to whole ones before they are compared, as there.
    shade = (255 - (coarse - fine).min(axis=2)).clip(0, 255).astype(np.uint8)
    return _white_where(2 * (255 - shade.astype(np.int32)) > level)


def _white_where(here: np.ndarray) -> Picture:
    return three(np.where(here, 255, 0).astype(np.uint8))


Draw = Callable[[Picture, float, float], Picture]
"""Draws a map of a picture, with the preprocessor's two numbers."""

DRAW: Mapping[str, Draw] = {
    "none": _same,
    "canny": _canny,
    "invert": _inverted,
    "tile_resample": _smaller,
    "tile_colorfix": _same,
    "tile_colorfix+sharp": _same,
    "blur_gaussian": _blurred,
    "scribble_xdog": _xdog,
    "threshold": _threshold,
}
"""How those draw that need no model files."""
