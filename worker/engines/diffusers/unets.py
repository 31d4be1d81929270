"""The layout of a UNet (and of the half of it that a ControlNet is) in a single file: which block is where.

The configuration of a UNet is nowhere in such a file. It follows from the names and shapes of its tensors.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.engines.diffusers.files import Shape

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.attentions.0": "middle_block.1",
    **{f"mid_block.resnets.0.{ours}": f"middle_block.0.{theirs}" for ours, theirs in RESNET.items()},
    **{f"mid_block.resnets.1.{ours}": f"middle_block.2.{theirs}" for ours, theirs in RESNET.items()},
}
TIME_CHANNELS = 256
"""Channels of each number (sizes, crops) that SDXL is told beside the prompt."""


@dataclass(frozen=True)
class Layout:
    """How a module is kept in a file. `config` is what the module is made with, `names` maps a prefix of the names of
    the module's parameters to the prefix that the file has for it."""

    config: dict[str, Any]
    names: Mapping[str, str]

    def in_file(self, parameter: str) -> str | None:
        """The file's name for a parameter or a submodule of the module; None when it has none."""
        head, tail = parameter, ""
        while head not in self.names:
            head, dot, last = head.rpartition(".")
            if not dot:
                return None
            tail = f".{last}{tail}"
        return self.names[head] + tail


def _exists(shapes: Mapping[str, Shape], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in shapes)


def _depth(shapes: Mapping[str, Shape], prefix: str) -> int:
    """How many transformer blocks are in the attention at `prefix`; 0 when there is none."""
    found = (re.match(rf"{re.escape(prefix)}transformer_blocks\.(\d+)\.", key) for key in shapes)
    return max((int(match.group(1)) + 1 for match in found if match), default=0)


def _resnet(names: dict[str, str], ours: str, theirs: str) -> None:
    names.update({f"{ours}.{inner}": f"{theirs}.{outer}" for inner, outer in RESNET.items()})


@dataclass(frozen=True)
class Level:
    """The blocks of one resolution: their channels, how many there are, and how many transformer blocks are in the
    attention of each (0: it has none)."""

    channels: int
    layers: int
    depth: int


def levels_of(shapes: Mapping[str, Shape]) -> list[Level]:
    """The levels of the way down, from the highest resolution on."""
    levels = [Level(shapes["input_blocks.0.0.weight"][0], 0, 0)]
    number = 1
    while _exists(shapes, f"input_blocks.{number}."):
        block, here = f"input_blocks.{number}", levels[-1]
        number += 1
        if _exists(shapes, f"{block}.0.op."):
            levels.append(Level(here.channels, 0, 0))
            continue
        width = shapes.get(f"{block}.0.out_layers.3.weight") or shapes.get(f"{block}.0.in_layers.2.weight")
        depth = max(here.depth, _depth(shapes, f"{block}.1."))
        levels[-1] = Level(width[0] if width else here.channels, here.layers + 1, depth)
    return levels


def down_names(levels: list[Level]) -> dict[str, str]:
    """The names of the blocks of the way down, of both ends and of the middle."""
    names = dict(ENDS)
    number = 1
    for down, level in enumerate(levels):
        for layer in range(level.layers):
            _resnet(names, f"down_blocks.{down}.resnets.{layer}", f"input_blocks.{number}.0")
            if level.depth:
                names[f"down_blocks.{down}.attentions.{layer}"] = f"input_blocks.{number}.1"
            number += 1
        if down < len(levels) - 1:
            names[f"down_blocks.{down}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
            number += 1
    return names


def up_names(levels: list[Level]) -> dict[str, str]:
    """The names of the blocks of the way up: every level has one block more than on the way down."""
    names: dict[str, str] = {}
    number = 0
    for up, level in enumerate(reversed(levels)):
        for layer in range(level.layers + 1):
            _resnet(names, f"up_blocks.{up}.resnets.{layer}", f"output_blocks.{number}.0")
            if level.depth:
                names[f"up_blocks.{up}.attentions.{layer}"] = f"output_blocks.{number}.1"
            number += 1
        if up < len(levels) - 1:
            names[f"up_blocks.{up}.upsamplers.0.conv"] = f"output_blocks.{number - 1}.{2 if level.depth else 1}.conv"
    return names


def controlnet_names(levels: list[Level], hints: int) -> dict[str, str]:
    """The names of a ControlNet's parts; `hints` is how many convolutions read the picture that it is given."""
    names = down_names(levels)
    names["controlnet_mid_block"] = "middle_block_out.0"
    names["controlnet_cond_embedding.conv_in"] = "input_hint_block.0"
    names["controlnet_cond_embedding.conv_out"] = f"input_hint_block.{2 * (hints - 1)}"
    for block in range(hints - 2):
        names[f"controlnet_cond_embedding.blocks.{block}"] = f"input_hint_block.{2 * (block + 1)}"
    for number in range(sum(level.layers + 1 for level in levels)):
        names[f"controlnet_down_blocks.{number}"] = f"zero_convs.{number}.0"
    return names


def _shared_config(shapes: Mapping[str, Shape], levels: list[Level]) -> dict[str, Any]:
    """What UNet and ControlNet are made with alike."""
    channels = [level.channels for level in levels]
    attention = next(f"{key.split('.proj_in.')[0]}." for key in shapes if key.endswith(".proj_in.weight"))
    linear = len(shapes[f"{attention}proj_in.weight"]) == 2
    depths = [level.depth or 1 for level in levels]
    if not levels[-1].depth:
        # The middle takes the depth of the last level, which may have no attention of its own.
        depths[-1] = _depth(shapes, "middle_block.1.") or 1
    config: dict[str, Any] = {
        "in_channels": shapes["input_blocks.0.0.weight"][1],
        "block_out_channels": channels,
        "layers_per_block": levels[0].layers,
        "down_block_types": ["CrossAttnDownBlock2D" if level.depth else "DownBlock2D" for level in levels],
        "transformer_layers_per_block": depths,
        "cross_attention_dim": shapes[f"{attention}transformer_blocks.0.attn2.to_k.weight"][1],
        "use_linear_projection": linear,
        # The file does not say how many heads there are: SD 1.x always has 8, all others 64 channels for each head.
        # diffusers calls the number of heads their dimension.
        "attention_head_dim": [max(1, width // 64) for width in channels] if linear else 8,
    }
    if "label_emb.0.0.weight" in shapes:
        config["addition_embed_type"] = "text_time"
        config["addition_time_embed_dim"] = TIME_CHANNELS
        config["projection_class_embeddings_input_dim"] = shapes["label_emb.0.0.weight"][1]
    return config


def unet_layout(shapes: Mapping[str, Shape]) -> Layout:
    """The layout of a UNet from the shapes of its tensors, named without `model.diffusion_model.`. Raises KeyError or
    StopIteration when a tensor is missing that decides over it."""
    levels = levels_of(shapes)
    config = _shared_config(shapes, levels)
    config["out_channels"] = shapes["out.2.weight"][0]
    config["up_block_types"] = ["CrossAttnUpBlock2D" if level.depth else "UpBlock2D" for level in reversed(levels)]
    return Layout(config, {**down_names(levels), **up_names(levels)})


def controlnet_layout(shapes: Mapping[str, Shape]) -> Layout:
    """The layout of a ControlNet from the shapes of its tensors, named without `control_model.`. Raises as
    `unet_layout`."""
    levels = levels_of(shapes)
    config = _shared_config(shapes, levels)
    hints = len([key for key in shapes if re.fullmatch(r"input_hint_block\.\d+\.weight", key)])
    config["conditioning_channels"] = shapes["input_hint_block.0.weight"][1]
    # Every second of the convolutions is followed by one of the same width; the last leads into the network.
    widths = [shapes[f"input_hint_block.{2 * at}.weight"][0] for at in range(0, hints - 1, 2)]
    config["conditioning_embedding_out_channels"] = widths
    return Layout(config, controlnet_names(levels, hints))
