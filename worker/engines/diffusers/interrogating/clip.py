"""CLIP, which tells how well words fit a picture: from single files in the layout of transformers
(openai/clip-vit-large-patch14)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import torch
from PIL import Image
from transformers import CLIPConfig, CLIPModel

from worker.engines.diffusers.encoders import LEGACY_END, TOKENS
from worker.engines.diffusers.files import WeightFile, missing
from worker.engines.diffusers.foreign import count, filled, heads
from worker.engines.diffusers.interrogating.pixels import middle
from worker.engines.diffusers.models import Placement
from worker.engines.diffusers.tokens import END, START, tokenizer

SHARPNESS = 100.0
"""What likeness is multiplied with before it becomes shares, as in the WebUI."""
AT_ONCE = 64
"""How many lines are read at once."""


def is_clip(weights: WeightFile) -> bool:
    """Whether the file is a whole CLIP, with both of its halves."""
    return {"visual_projection.weight", "text_projection.weight"} <= weights.shapes.keys()


@dataclass(frozen=True)
class Clip:
    """A CLIP, ready to compare. `side` is the size of its pictures in pixels."""

    model: Any
    side: int
    placed: Placement

    @torch.no_grad()
    def seen(self, picture: Image.Image) -> torch.Tensor:
        """What it sees in the picture (RGB): a vector of length 1, as one row."""
        pixels = middle(picture, self.side).to(self.placed.device, self.placed.dtype)
        pooled = self.model.vision_model(pixel_values=pixels).pooler_output
        return _of_length_one(self.model.visual_projection(pooled))

    @torch.no_grad()
    def best(
        self, seen: torch.Tensor, lines: Sequence[str], top: int, look: Callable[[], None]
    ) -> list[tuple[str, float]]:
        """The `top` lines that fit best what it saw, each with its share among all lines (0 to 1). `look` is called
        between some lines."""
        rows = []
        for start in range(0, len(lines), AT_ONCE):
            look()
            rows.append(self._said(lines[start : start + AT_ONCE]))
        shares = (SHARPNESS * seen.float() @ torch.cat(rows).float().T).softmax(dim=-1)[0]
        found = shares.topk(min(top, len(lines)))
        return [(lines[number], share) for share, number in zip(*(each.tolist() for each in found), strict=True)]

    def _said(self, lines: Sequence[str]) -> torch.Tensor:
        names = tokenizer()
        start, end = names.convert_tokens_to_ids([START, END])
        rows = []
        for line in lines:
            told = names(line, add_special_tokens=False)["input_ids"][: TOKENS - 2]
            rows.append([start, *told, *[end] * (TOKENS - 1 - len(told))])
        tokens = torch.tensor(rows, device=self.placed.device)
        return _of_length_one(self.model.text_projection(self.model.text_model(input_ids=tokens).pooler_output))


def _of_length_one(rows: torch.Tensor) -> torch.Tensor:
    return rows / rows.norm(dim=-1, keepdim=True)


def read(weights: WeightFile, placed: Placement) -> Clip:
    """The CLIP in an open file. JobError `model_unreadable` for a file that lacks tensors."""
    try:
        config = _config(weights)
    except KeyError as error:
        raise missing(weights.name, [str(error.args[0])]) from error
    return Clip(
        filled(weights, CLIPModel, config, placed.device, placed.dtype), config.vision_config.image_size, placed
    )


def _config(weights: WeightFile) -> CLIPConfig:
    shapes = weights.shapes
    words, width = shapes["text_model.embeddings.token_embedding.weight"]
    seen, _, patch, _ = shapes["vision_model.embeddings.patch_embedding.weight"]
    patches = shapes["vision_model.embeddings.position_embedding.weight"][0] - 1
    return CLIPConfig(
        projection_dim=shapes["text_projection.weight"][0],
        text_config={
            "vocab_size": words,
            "hidden_size": width,
            "intermediate_size": shapes["text_model.encoder.layers.0.mlp.fc1.weight"][0],
            "num_hidden_layers": count(shapes, "text_model.encoder.layers."),
            "num_attention_heads": heads(width),
            "max_position_embeddings": shapes["text_model.embeddings.position_embedding.weight"][0],
            "projection_dim": shapes["text_projection.weight"][0],
            "hidden_act": "quick_gelu",
            "bos_token_id": 0,
            "eos_token_id": LEGACY_END,
        },
        vision_config={
            "hidden_size": seen,
            "intermediate_size": shapes["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
            "num_hidden_layers": count(shapes, "vision_model.encoder.layers."),
            "num_attention_heads": heads(seen),
            "image_size": patch * isqrt(patches),
            "patch_size": patch,
            "projection_dim": shapes["visual_projection.weight"][0],
            "hidden_act": "quick_gelu",
        },
    )
