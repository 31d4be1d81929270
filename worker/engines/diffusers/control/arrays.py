"""Maps for ControlNets as arrays (H, W, 3) of bytes: their sizes, as the extension makes them.

From its scripts/controlnet.py (`detectmap_proc`) and scripts/preprocessor/legacy/processor.py.
"""

from typing import TypeAlias

import cv2
import numpy as np

from worker.engines.diffusers.control.names import Fit
from worker.errors import JobError

Picture: TypeAlias = np.ndarray
Size = tuple[int, int]
MOST_PIXELS = 8192 * 8192
"""A picture a thousand times as wide as high would get a size that no memory holds."""
PADDED = 64
"""Preprocessors look at pictures whose sides are multiples of this: the edges are drawn out."""
_FEW_COLOURS = 200


def three(shades: np.ndarray) -> Picture:
    """A grey map (H, W) as one of three channels."""
    return np.repeat(shades[:, :, None], 3, axis=2)


def pixel_perfect(picture: Picture, size: Size, fit: Fit) -> int:
    """The shorter side that a picture must have for its map to fit the painted picture (`size`) pixel by pixel."""
    height, width = picture.shape[:2]
    scales = size[0] / width, size[1] / height
    return round((min(scales) if fit is Fit.FILL else max(scales)) * min(height, width))


def looked_at(picture: Picture, resolution: int) -> tuple[Picture, Size]:
    """The picture with a shorter side of `resolution` pixels, padded at its right and bottom; and its size without."""
    height, width = picture.shape[:2]
    scale = resolution / min(height, width)
    size = _checked((round(width * scale), round(height * scale)))
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA)
    more = [(0, -side % PADDED) for side in (size[1], size[0])]
    return np.pad(resized, [*more, (0, 0)], mode="edge"), size


def fitted(picture: Picture, size: Size, fit: Fit) -> Picture:
    """The map in the size (width, height) of the painted picture."""
    if fit is Fit.STRETCH:
        return enlarged(picture, size)
    width, height = size
    scales = width / picture.shape[1], height / picture.shape[0]
    scale = min(scales) if fit is Fit.FILL else max(scales)
    inner = enlarged(picture, (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))))
    if fit is Fit.CROP:
        top, left = max(0, (inner.shape[0] - height) // 2), max(0, (inner.shape[1] - width) // 2)
        return inner[top : top + height, left : left + width]
    edges = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    paper = np.empty((height, width, 3), np.uint8)
    paper[:] = np.median(edges, axis=0).astype(np.uint8)
    top, left = max(0, (height - inner.shape[0]) // 2), max(0, (width - inner.shape[1]) // 2)
    paper[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return paper


def enlarged(picture: Picture, size: Size) -> Picture:
    """The map in another size. Maps of few colours get no new ones, and lines of one pixel stay as thin."""
    height, width = picture.shape[:2]
    if (width, height) == size:
        return picture
    _checked(size)
    colours = _colours(picture)
    two = colours == 2 and picture.min() < 16 and picture.max() > 240
    if 2 < colours < _FEW_COLOURS:
        how = cv2.INTER_NEAREST
    else:
        how = cv2.INTER_AREA if size[0] * size[1] < width * height else cv2.INTER_CUBIC
    resized = cv2.resize(picture, size, interpolation=how)
    if not two:
        return resized
    shades = resized.mean(axis=2).clip(0, 255).astype(np.uint8)
    if not _thin(picture):
        return three(_black_or_white(shades))
    return three(_thinned(_black_or_white(_ridges(shades)), pruned=size[0] * size[1] > width * height))


def _checked(size: Size) -> Size:
    if size[0] < 1 or size[1] < 1 or size[0] * size[1] > MOST_PIXELS:
        message = f"The picture of a ControlNet unit would have to be resized to {size[0]}x{size[1]} pixels."
        raise JobError("image_too_large", f"{message} Its proportions are too far from those of the result.")
    return size


def _colours(picture: Picture) -> int:
    red, green, blue = (picture[:, :, channel].astype(np.uint32) for channel in range(3))
    return len(np.unique(red << 16 | green << 8 | blue))


def _thin(picture: Picture) -> bool:
    """Whether more than half of what is white lies in lines that are a pixel or two wide."""
    square = np.ones((3, 3), np.uint8)
    thick = cv2.dilate(cv2.erode(picture, square), square)
    return np.count_nonzero(thick < picture) * 2 > np.count_nonzero(picture > 127)


def _black_or_white(shades: np.ndarray) -> np.ndarray:
    """Black and white, divided at Otsu's threshold."""
    return cv2.threshold(shades, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]


def _ridges(shades: np.ndarray) -> np.ndarray:
    """What is as bright as its neighbours on both sides, in one of four directions."""
    row, diagonal = np.zeros((3, 3), np.uint8), np.eye(3, dtype=np.uint8)
    row[1] = 1
    ridge = np.zeros(shades.shape, bool)
    for direction in (row, row.T.copy(), diagonal, diagonal[::-1].copy()):
        ridge |= cv2.dilate(shades, direction) == shades
    return np.where(ridge, shades, 0).astype(np.uint8)


# Neighbours of a pixel that is taken away: 1 white, -1 black, 0 either. Each counts in four turns.
_EDGES = ([[-1, -1, -1], [0, 1, 0], [1, 1, 1]], [[0, -1, -1], [1, 1, -1], [0, 1, 0]])
_ENDS = ([[-1, -1, -1], [-1, 1, -1], [0, 0, -1]], [[-1, -1, -1], [-1, 1, -1], [-1, 0, 0]])
_MOST_ROUNDS = 32


def _thinned(shape: np.ndarray, *, pruned: bool) -> np.ndarray:
    """Morphological thinning: lines of one pixel. `pruned` shortens their ends by a pixel."""
    for _ in range(_MOST_ROUNDS):
        before = shape
        shape = _without(shape, _EDGES)
        if np.array_equal(before, shape):
            break
    return _without(shape, _ENDS) if pruned else shape


def _without(shape: np.ndarray, patterns: tuple[list[list[int]], ...]) -> np.ndarray:
    for turns in range(4):
        for pattern in patterns:
            kernel = np.rot90(np.array(pattern, np.int32), turns).copy()
            shape = np.where(cv2.morphologyEx(shape, cv2.MORPH_HITMISS, kernel) > 127, 0, shape).astype(np.uint8)
    return shape
