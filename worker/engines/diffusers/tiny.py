"""Makes tiny random checkpoints: single files with the layout of real ones, a few megabytes each. What they paint is
noise, but every part of the engine runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig

from worker.engines.diffusers.autoencoders import vae_names
from worker.engines.diffusers.encoders import OPEN_CLIP, PACKED, TOKENS, TextEncoder
from worker.engines.diffusers.families import ENCODERS, UNET, VAE, Family
from worker.engines.diffusers.unets import Layout, Level, controlnet_names, down_names, up_names

VOCABULARY = 49408
WIDTH = 32
"""Channels of the text encoders. The UNet's are multiples of 32, as its norms have 32 groups."""
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Tiny:
    """The sizes of a tiny checkpoint: those of its family, with fewer channels and layers."""

    family: Family
    levels: tuple[Level, ...]
    heads: int | list[int]
    words: int
    vector: int | None = None


TINY = {
    Family.SD1: Tiny(Family.SD1, (Level(32, 1, 1), Level(64, 1, 0)), 8, WIDTH),
    Family.SD2: Tiny(Family.SD2, (Level(32, 1, 1), Level(64, 1, 0)), [1, 1], WIDTH),
    Family.SDXL: Tiny(Family.SDXL, (Level(32, 1, 0), Level(64, 1, 2)), [1, 1], 2 * WIDTH, WIDTH + 6 * 256),
    Family.REFINER: Tiny(Family.REFINER, (Level(32, 1, 0), Level(64, 1, 1)), [1, 1], WIDTH, WIDTH + 5 * 256),
}


def checkpoint(family: Family, *, inpainting: bool = False, velocity: bool = False, seed: int = 0) -> Tensors:
    """The tensors of a tiny checkpoint of `family`. `velocity` makes it predict the velocity, as an SD 2.x or SDXL
    checkpoint may."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tensors = _under(UNET, unet(TINY[family], in_channels=9 if inpainting else 4))
        tensors |= _under(VAE, vae())
        for key, prefix in ENCODERS[family].items():
            tensors |= _under(prefix, text_encoder(key))
    if velocity and family is Family.SD2:
        # By this a UNet is told apart that predicts the velocity: what it answers at full noise.
        tensors[f"{UNET}out.2.bias"] -= 3
    if velocity and family is Family.SDXL:
        tensors |= {"v_pred": torch.tensor([]), "ztsnr": torch.tensor([])}
    return tensors


def unet(tiny: Tiny, in_channels: int = 4) -> Tensors:
    """The tensors of a UNet as a file has them."""
    levels = list(tiny.levels)
    made = UNet2DConditionModel(
        **_shared(tiny, in_channels),
        out_channels=4,
        up_block_types=["CrossAttnUpBlock2D" if level.depth else "UpBlock2D" for level in reversed(levels)],
    )
    return _as_file(made, Layout({}, down_names(levels) | up_names(levels)))


def controlnet(family: Family, seed: int = 0) -> Tensors:
    """The tensors of a ControlNet for tiny checkpoints of `family`."""
    tiny = TINY[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = ControlNetModel(
            **_shared(tiny, 4), conditioning_embedding_out_channels=[16, 16, 16, 32], conditioning_channels=3
        )
        # A fresh one has zeros at its ends, and changes nothing.
        for parameter in made.parameters():
            if not parameter.any():
                torch.nn.init.normal_(parameter, std=0.1)
        for parameter in made.controlnet_cond_embedding.parameters():
            # Those of a fresh one are so small that the picture would hardly count.
            torch.nn.init.normal_(parameter, std=0.2)
    return _under("control_model.", _as_file(made, Layout({}, controlnet_names(list(tiny.levels), hints=8))))


def _shared(tiny: Tiny, in_channels: int) -> dict[str, Any]:
    levels = tiny.levels
    depths = [level.depth or 1 for level in levels]
    config: dict[str, Any] = {
        "in_channels": in_channels,
        "block_out_channels": [level.channels for level in levels],
        "layers_per_block": levels[0].layers,
        "down_block_types": ["CrossAttnDownBlock2D" if level.depth else "DownBlock2D" for level in levels],
        "transformer_layers_per_block": depths,
        "cross_attention_dim": tiny.words,
        "use_linear_projection": tiny.family is not Family.SD1,
        "attention_head_dim": tiny.heads,
    }
    if tiny.vector:
        config["addition_embed_type"] = "text_time"
        config["addition_time_embed_dim"] = 256
        config["projection_class_embeddings_input_dim"] = tiny.vector
    return config


def vae() -> Tensors:
    """The tensors of a VAE as a file has them. Like a real one it makes pictures eight times smaller."""
    levels = 4
    made = AutoencoderKL(
        block_out_channels=[32] * levels,
        down_block_types=["DownEncoderBlock2D"] * levels,
        up_block_types=["UpDecoderBlock2D"] * levels,
        layers_per_block=1,
        latent_channels=4,
    )
    tensors = _as_file(made, Layout({}, vae_names(levels, layers=1)))
    # A file keeps the matrices of the VAE's attention as convolutions of one pixel.
    matrices = [key for key, tensor in tensors.items() if ".attn_1." in key and tensor.dim() == 2]
    return tensors | {key: tensors[key][:, :, None, None].contiguous() for key in matrices}


def text_encoder(key: str) -> Tensors:
    """The tensors of the text encoder `clip_l`, `clip_h` or `clip_g` as a file has them."""
    open_clip = key != "clip_l"
    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=3,
        num_attention_heads=1,
        max_position_embeddings=TOKENS,
        hidden_act="gelu" if open_clip else "quick_gelu",
    )
    made = TextEncoder(key, config, WIDTH if open_clip else None)
    for parameter in made.parameters():
        # Those of a fresh CLIP are so small that no prompt would show.
        torch.nn.init.normal_(parameter, std=0.3)
    tensors = {name: tensor.contiguous() for name, tensor in made.state_dict().items()}
    return _open_clip(tensors, config.num_hidden_layers) if open_clip else _under("transformer.", tensors)


def _open_clip(tensors: Mapping[str, torch.Tensor], layers: int) -> Tensors:
    found = {
        "token_embedding.weight": tensors["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": tensors["text_model.embeddings.position_embedding.weight"],
        "text_projection": tensors["text_projection.weight"].t().contiguous(),
        "logit_scale": torch.tensor(4.6),
    }
    for part in ("weight", "bias"):
        found[f"ln_final.{part}"] = tensors[f"text_model.final_layer_norm.{part}"]
        for layer in range(layers):
            ours, theirs = f"text_model.encoder.layers.{layer}", f"transformer.resblocks.{layer}"
            packed = [tensors[f"{ours}.self_attn.{matrix}.{part}"] for matrix in PACKED]
            found[f"{theirs}.attn.in_proj_{part}"] = torch.cat(packed)
            for our_name, their_name in OPEN_CLIP.items():
                found[f"{theirs}.{their_name}.{part}"] = tensors[f"{ours}.{our_name}.{part}"]
    return _under("model.", found)


def _as_file(module: torch.nn.Module, layout: Layout) -> Tensors:
    tensors: Tensors = {}
    for ours, tensor in module.state_dict().items():
        theirs = layout.in_file(ours)
        if theirs is None:
            raise KeyError(ours)
        tensors[theirs] = tensor.contiguous()
    return tensors


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    return {prefix + name: tensor for name, tensor in tensors.items()}


def _half(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


CHECKPOINTS: dict[str, Callable[[], Tensors]] = {
    "tiny-sd15": lambda: checkpoint(Family.SD1),
    "tiny-sd15-inpainting": lambda: checkpoint(Family.SD1, inpainting=True),
    "tiny-sd2": lambda: checkpoint(Family.SD2),
    "tiny-sd2-v": lambda: checkpoint(Family.SD2, velocity=True),
    "tiny-sdxl": lambda: checkpoint(Family.SDXL),
    "tiny-sdxl-inpainting": lambda: checkpoint(Family.SDXL, inpainting=True),
    "tiny-sdxl-v": lambda: checkpoint(Family.SDXL, velocity=True),
    "tiny-sdxl-refiner": lambda: checkpoint(Family.REFINER),
}
"""Every tiny checkpoint, by the name of its file."""


def write(path: Path, tensors: Mapping[str, torch.Tensor]) -> Path:
    """Writes the tensors in half precision as a .safetensors file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(_half(tensors), path)
    return path


if __name__ == "__main__":
    from worker.engines.diffusers.tiny_command import main

    main()
