"""Draws how near everything in a picture is, by Depth Anything V2 (transformers' `depth_anything`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from worker.engines.diffusers import foreign
from worker.engines.diffusers.control.arrays import Picture, Size, three
from worker.engines.diffusers.files import Shape
from worker.engines.diffusers.foreign import count, first

SIDE, LONGEST, PATCH = 518, 2072, 14
"""Pixels of the shorter and at most of the longer side of what the model looks at, and of its patches."""
_MEAN, _DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
"""Of ImageNet's pictures."""
_SEEN = {12: [3, 6, 9, 12], 24: [5, 12, 18, 24]}
"""The layers whose answers are used, by how many there are."""


class Depth:
    """The model in memory."""

    def __init__(self, path: Path, name: str, device: str) -> None:
        """JobError `model_unreadable`, `model_unsupported`."""
        from transformers import DepthAnythingForDepthEstimation

        self._device = device
        self._model = foreign.load(path, name, DepthAnythingForDepthEstimation, depth_config, device)

    @torch.no_grad()
    def drawn(self, picture: Picture) -> Picture:
        """What is near is white, what is far black."""
        resized = cv2.resize(picture, _size(picture), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
        seen = torch.from_numpy((resized - _MEAN) / _DEVIATION).permute(2, 0, 1)[None].to(self._device)
        near = self._model(seen).predicted_depth[0].float().cpu().numpy()
        near = cv2.resize(near, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        spread = max(float(near.max() - near.min()), 1e-6)
        return three(((near - near.min()) / spread * 255).astype(np.uint8))


def _size(picture: Picture) -> Size:
    """The size in which the model looks at a picture: whole patches, the shorter side of SIDE pixels, the longer of at
    most LONGEST."""
    width, height = picture.shape[1::-1]
    scale = min(SIDE / min(width, height), LONGEST / max(width, height))
    return max(1, round(width * scale / PATCH)) * PATCH, max(1, round(height * scale / PATCH)) * PATCH


def depth_config(shapes: Mapping[str, Shape], name: str) -> Any:
    """The configuration of a Depth Anything V2 with these tensors. JobError `model_unsupported` for another model."""
    from transformers import DepthAnythingConfig, Dinov2Config

    if "head.conv3.weight" not in shapes or "neck.convs.0.weight" not in shapes:
        raise foreign.unknown(name, "no Depth Anything that this engine knows", "the one in the layout of transformers")
    patches, width = first(shapes, ["backbone.embeddings.position_embeddings"], name)[1:]
    layers = count(shapes, "backbone.encoder.layer.")
    stages = range(count(shapes, "neck.reassemble_stage.layers."))
    backbone = Dinov2Config(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        image_size=round((patches - 1) ** 0.5) * PATCH,
        patch_size=PATCH,
        out_indices=_SEEN.get(layers, [layers * (number + 1) // len(stages) for number in stages]),
        reshape_hidden_states=False,
        apply_layernorm=True,
    )
    return DepthAnythingConfig(
        backbone_config=backbone,
        patch_size=PATCH,
        reassemble_hidden_size=width,
        neck_hidden_sizes=[
            first(shapes, [f"neck.reassemble_stage.layers.{number}.projection.weight"], name)[0] for number in stages
        ],
        fusion_hidden_size=shapes["neck.convs.0.weight"][0],
        head_hidden_size=first(shapes, ["head.conv2.weight"], name)[0],
    )
