"""Enlarging pictures with upscaler files, in tiles, for extras and for the second pass of hires fix.

As in the WebUI 1.10 (modules/upscaler.py, upscaler_utils.py): the file's factor is applied until the picture is large
enough, three times at most; the rest is Lanczos.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from darkroom.jobs.contract import WorkRequest
from darkroom.webui.upscalers import needs_file
from worker.engines.diffusers import upscalers
from worker.engines.diffusers.plan import Size, needed_file
from worker.engines.diffusers.studio import Files
from worker.engines.enlarge import lanczos
from worker.enlarging import Box

TIMES = 3
TILE, OVERLAP = 192, 8
"""Pixels of a tile, and how many of them neighbours share (the WebUI's settings `ESRGAN_tile`, `_tile_overlap`)."""


class Upscaling:
    """Enlarges with the files of one job; each is read once."""

    def __init__(
        self, request: WorkRequest, files: Files, device: str, look: Callable[[], None], *, pickles: bool
    ) -> None:
        self._request = request
        self._files = files
        self._device = device
        self._look = look
        self._pickles = pickles
        self._read: dict[str, Any] = {}

    def scale(self, picture: Image.Image, name: str, part: Box, size: Size) -> Image.Image:
        """See `engines.enlarge.Scale`. Raises JobError `model_missing` for an upscaler without a file."""
        if not needs_file(name):
            return lanczos(picture, name, part, size)
        model = self._model(name)
        factor = max(size[0] / (part[2] - part[0]), size[1] / (part[3] - part[1]))
        larger, reached = picture, 1.0
        while reached < factor and larger.width * larger.height <= MOST_PIXELS:
            larger = self.once(larger, model)
            reached = larger.width / picture.width
            if model.scale <= 1 or reached >= model.scale**TIMES:
                break
        left, top, right, bottom = (edge * reached for edge in part)
        return larger.resize(size, Image.Resampling.LANCZOS, box=(left, top, right, bottom))

    def whole(self, name: str) -> Callable[[Image.Image, Size], Image.Image]:
        """A function that enlarges whole pictures with that upscaler."""

        def enlarge(picture: Image.Image, size: Size) -> Image.Image:
            return self.scale(picture, name, (0.0, 0.0, *picture.size), size)

        return enlarge

    def _model(self, name: str) -> Any:
        if name not in self._read:
            file = needed_file(self._request, "upscaler", name)
            path = self._files.path(file, self._look)
            self._read[name] = upscalers.read(path, file.name, self._device, pickles=self._pickles)
        return self._read[name]

    @torch.no_grad()
    def once(self, picture: Image.Image, model: Any) -> Image.Image:
        """The picture, larger by the model's factor. Where tiles overlap, one goes over into the other."""
        pixels = torch.from_numpy(np.asarray(picture.convert("RGB"), dtype=np.float32) / 255).permute(2, 0, 1)
        factor = int(model.scale)
        total = torch.zeros(3, picture.height * factor, picture.width * factor)
        weights = torch.zeros(1, *total.shape[1:])
        for top, left in _tiles(picture.size):
            self._look()
            tile = pixels[:, top : top + TILE, left : left + TILE]
            done = model(tile.unsqueeze(0).to(self._device))[0].float().cpu()
            height, width = done.shape[1:]
            rows = slice(top * factor, top * factor + height)
            columns = slice(left * factor, left * factor + width)
            share = _fading((height, width), OVERLAP * factor)
            total[:, rows, columns] += done * share
            weights[:, rows, columns] += share
        mixed = (total / weights).clamp(0, 1) * 255
        return Image.fromarray(mixed.round().to(torch.uint8).permute(1, 2, 0).numpy())


MOST_PIXELS = 100_000_000
"""A picture that has reached this is not enlarged again by the file."""


def _tiles(size: Size) -> Iterator[tuple[int, int]]:
    """Where tiles begin: top and left."""
    for top in _starts(size[1]):
        for left in _starts(size[0]):
            yield top, left


def _starts(length: int) -> list[int]:
    if length <= TILE:
        return [0]
    return [*range(0, length - TILE, TILE - OVERLAP), length - TILE]


def _fading(shape: Sequence[int], width: int) -> Tensor:
    """The weight of a tile's pixels: one, and less within `width` of its edges, never nothing."""
    sides = []
    for length in shape:
        distance = torch.minimum(torch.arange(1, length + 1), torch.arange(length, 0, -1))
        sides.append((distance / (width + 1)).clamp(max=1))
    return sides[0][:, None] * sides[1][None, :]
