"""The layout of a VAE in a single file, and its configuration as it follows from the shapes."""

import re
from collections.abc import Mapping

from worker.engines.diffusers.files import Shape
from worker.engines.diffusers.unets import Layout

ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
RESNET = ("norm1", "conv1", "norm2", "conv2")


def _count(shapes: Mapping[str, Shape], pattern: str) -> int:
    found = (re.match(pattern, key) for key in shapes)
    return max((int(match.group(1)) + 1 for match in found if match), default=0)


def _resnet(names: dict[str, str], ours: str, theirs: str) -> None:
    names.update({f"{ours}.{part}": f"{theirs}.{part}" for part in RESNET})
    names[f"{ours}.conv_shortcut"] = f"{theirs}.nin_shortcut"


def _half(names: dict[str, str], half: str, levels: int, layers: int) -> None:
    """Adds the names of encoder or decoder: the decoder's levels are counted from below, and are one block longer."""
    decodes = half == "decoder"
    for ours in range(levels):
        theirs = levels - 1 - ours if decodes else ours
        block, kept = ("up_blocks", "up") if decodes else ("down_blocks", "down")
        for layer in range(layers + decodes):
            _resnet(names, f"{half}.{block}.{ours}.resnets.{layer}", f"{half}.{kept}.{theirs}.block.{layer}")
        sampler = "upsample" if decodes else "downsample"
        names[f"{half}.{block}.{ours}.{sampler}rs.0.conv"] = f"{half}.{kept}.{theirs}.{sampler}.conv"
    _resnet(names, f"{half}.mid_block.resnets.0", f"{half}.mid.block_1")
    _resnet(names, f"{half}.mid_block.resnets.1", f"{half}.mid.block_2")
    for ours_part, theirs_part in ATTENTION.items():
        names[f"{half}.mid_block.attentions.0.{ours_part}"] = f"{half}.mid.attn_1.{theirs_part}"
    names[f"{half}.conv_in"] = f"{half}.conv_in"
    names[f"{half}.conv_norm_out"] = f"{half}.norm_out"
    names[f"{half}.conv_out"] = f"{half}.conv_out"


def vae_layout(shapes: Mapping[str, Shape], scaling_factor: float) -> Layout:
    """The layout of a VAE from the shapes of its tensors, named without `first_stage_model.`. `scaling_factor` belongs
    to the family of the checkpoint. Raises KeyError when a tensor is missing that decides over it."""
    if "encoder.down_blocks.0.resnets.0.conv1.weight" in shapes:
        return _as_diffusers_keeps_it(shapes, scaling_factor)
    levels = _count(shapes, r"encoder\.down\.(\d+)\.")
    layers = _count(shapes, r"encoder\.down\.0\.block\.(\d+)\.")
    channels = [shapes[f"encoder.down.{level}.block.0.conv1.weight"][0] for level in range(levels)]
    return Layout(_config(shapes, channels, layers, scaling_factor), vae_names(levels, layers))


def vae_names(levels: int, layers: int) -> dict[str, str]:
    """The names of the parts of a VAE with so many levels, and so many blocks in each on the way down."""
    names = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    _half(names, "encoder", levels, layers)
    _half(names, "decoder", levels, layers)
    return names


def _as_diffusers_keeps_it(shapes: Mapping[str, Shape], scaling_factor: float) -> Layout:
    levels = _count(shapes, r"encoder\.down_blocks\.(\d+)\.")
    layers = _count(shapes, r"encoder\.down_blocks\.0\.resnets\.(\d+)\.")
    channels = [shapes[f"encoder.down_blocks.{level}.resnets.0.conv1.weight"][0] for level in range(levels)]
    names = {name: name for name in ("encoder", "decoder", "quant_conv", "post_quant_conv")}
    return Layout(_config(shapes, channels, layers, scaling_factor), names)


def _config(shapes: Mapping[str, Shape], channels: list[int], layers: int, scaling_factor: float) -> dict[str, object]:
    return {
        "in_channels": shapes["encoder.conv_in.weight"][1],
        "out_channels": shapes["decoder.conv_out.weight"][0],
        "latent_channels": shapes["decoder.conv_in.weight"][1],
        "block_out_channels": channels,
        "layers_per_block": layers,
        "down_block_types": ["DownEncoderBlock2D"] * len(channels),
        "up_block_types": ["UpDecoderBlock2D"] * len(channels),
        "scaling_factor": scaling_factor,
    }
