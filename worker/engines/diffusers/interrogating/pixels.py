"""Pictures as CLIP and BLIP take them: tensors of normalised colours."""

import numpy as np
import torch
from PIL import Image

MEAN = (0.48145466, 0.4578275, 0.40821073)
SPREAD = (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that CLIP was trained with; BLIP uses the same numbers."""


def squeezed(picture: Image.Image, side: int) -> torch.Tensor:
    """The picture (RGB) as a square of `side` pixels, whatever its shape: one picture of 3 channels (1, 3, side,
    side)."""
    return _normalised(picture.resize((side, side), Image.Resampling.BICUBIC))


def middle(picture: Image.Image, side: int) -> torch.Tensor:
    """The square in the middle of the picture (RGB), its shorter side resized to `side` pixels: (1, 3, side, side)."""
    shorter = min(picture.size)
    width, height = (max(side, length * side // shorter) for length in picture.size)
    larger = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - side) / 2), round((height - side) / 2)
    return _normalised(larger.crop((left, top, left + side, top + side)))


def _normalised(picture: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)
    return ((pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(SPREAD)[:, None, None]).unsqueeze(0)
