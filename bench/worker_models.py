"""Checkpoints with random weights in the sizes of real ones, for `bench.worker`: what they paint is noise, and it takes
as long as a picture."""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from worker.engines.diffusers.encoders import TextEncoder
from worker.engines.diffusers.families import SCALING, Family, Kind, Prediction
from worker.engines.diffusers.models import Model, Placement
from worker.engines.diffusers.running import Runner
from worker.engines.diffusers.tokens import tokenizer
from worker.engines.diffusers.unets import Layout

NAME = "random.safetensors"
CROSS, PLAIN = "CrossAttn", ""
VOCABULARY, TOKENS = 49408, 77


@dataclass(frozen=True)
class Sizes:
    """A family's sizes: `levels` are channels and transformer blocks from the highest resolution on, `encoders` the
    widths and layers of the text encoders."""

    family: Family
    side: int
    levels: tuple[tuple[int, int], ...]
    layers: int
    heads: int | tuple[int, ...]
    encoders: tuple[tuple[str, int, int], ...]
    vae: tuple[int, ...]


SD15 = Sizes(
    Family.SD1,
    side=512,
    levels=((320, 1), (640, 1), (1280, 1), (1280, 0)),
    layers=2,
    heads=8,
    encoders=(("clip_l", 768, 12),),
    vae=(128, 256, 512, 512),
)
SDXL = Sizes(
    Family.SDXL,
    side=1024,
    levels=((320, 0), (640, 2), (1280, 10)),
    layers=2,
    heads=(5, 10, 20),
    encoders=(("clip_l", 768, 12), ("clip_g", 1280, 32)),
    vae=(128, 256, 512, 512),
)
TINY_SD15 = Sizes(Family.SD1, 64, ((32, 1), (64, 0)), 1, 8, (("clip_l", 32, 2),), (32, 32, 32, 32))
TINY_SDXL = Sizes(
    Family.SDXL, 64, ((32, 0), (64, 2)), 1, (1, 1), (("clip_l", 32, 2), ("clip_g", 32, 2)), (32, 32, 32, 32)
)


def unet_config(sizes: Sizes) -> dict[str, Any]:
    """What a UNet of these sizes is made with."""
    kinds = [CROSS if depth else PLAIN for _, depth in sizes.levels]
    config: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": [channels for channels, _ in sizes.levels],
        "layers_per_block": sizes.layers,
        "down_block_types": [f"{kind}DownBlock2D" for kind in kinds],
        "up_block_types": [f"{kind}UpBlock2D" for kind in reversed(kinds)],
        "transformer_layers_per_block": [depth or 1 for _, depth in sizes.levels],
        "cross_attention_dim": sum(width for _, width, _ in sizes.encoders),
        "attention_head_dim": sizes.heads if isinstance(sizes.heads, int) else [*sizes.heads],
    }
    if sizes.family is Family.SDXL:
        config |= {
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": sizes.encoders[-1][1] + 6 * 256,
        }
    return config


def text_config(key: str, width: int, layers: int) -> CLIPTextConfig:
    """What a text encoder is made with."""
    return CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 64),
        max_position_embeddings=TOKENS,
        hidden_act="gelu" if key == "clip_g" else "quick_gelu",
        eos_token_id=2,
    )


def model(sizes: Sizes, placed: Placement) -> Model:
    """A checkpoint in memory, as the engine has it."""
    scale = SCALING[sizes.family]
    torch.manual_seed(0)
    with torch.device(placed.device):
        unet = UNet2DConditionModel(**unet_config(sizes))
        vae = AutoencoderKL(
            block_out_channels=[*sizes.vae],
            down_block_types=["DownEncoderBlock2D"] * len(sizes.vae),
            up_block_types=["UpDecoderBlock2D"] * len(sizes.vae),
            layers_per_block=sizes.layers,
            latent_channels=4,
            scaling_factor=scale,
            # Both sides decode in the same precision.
            force_upcast=False,
        )
        texts = [
            TextEncoder(key, text_config(key, width, layers), width if key == "clip_g" else None)
            for key, width, layers in sizes.encoders
        ]
    for part, dtype in ((unet, placed.dtype), (vae, placed.vae_dtype), *((each, placed.dtype) for each in texts)):
        part.to(dtype).eval().requires_grad_(requires_grad=False)
    kind = Kind(sizes.family, inpainting=False, prediction=Prediction.EPSILON, zero_snr=False)
    return Model(NAME, kind, unet, vae, tuple(texts), Layout({}, {}), scale, placed, Runner(unet))


def pipeline(made: Model) -> Any:
    """The pipeline of diffusers over the same modules."""
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    )
    words = tokenizer()
    words.model_max_length = TOKENS
    first = made.encoders[0].text_model
    if made.kind.family is Family.SDXL:
        second = CLIPTextModelWithProjection(made.encoders[1].text_model.config)
        second.to(made.placement.device, made.placement.dtype).eval()
        pipe = StableDiffusionXLPipeline(
            made.vae, first, second, words, words, made.unet, scheduler, add_watermarker=False
        )
    else:
        pipe = StableDiffusionPipeline(
            made.vae, first, words, made.unet, scheduler, None, None, requires_safety_checker=False
        )
    pipe.set_progress_bar_config(disable=True)
    return pipe
