"""Where the tensors of a file belong, held against diffusers' own conversion, and against the sizes of real models."""

from typing import Any

import pytest
import torch
from diffusers.loaders import single_file_utils
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from tests.worker.files import CPU, checkpoint_file, loaded
from worker.engines.diffusers import tiny
from worker.engines.diffusers.encoders import encoder_layout
from worker.engines.diffusers.families import ENCODERS, VAE, Family
from worker.engines.diffusers.files import open_weights
from worker.engines.diffusers.unets import (
    Layout,
    Level,
    controlnet_layout,
    controlnet_names,
    down_names,
    unet_layout,
    up_names,
)

SD1 = {
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "transformer_layers_per_block": [1, 1, 1, 1],
    "cross_attention_dim": 768,
    "use_linear_projection": False,
    "attention_head_dim": 8,
}
SD2 = SD1 | {"cross_attention_dim": 1024, "use_linear_projection": True, "attention_head_dim": [5, 10, 20, 20]}
SDXL = {
    "block_out_channels": [320, 640, 1280],
    "layers_per_block": 2,
    "down_block_types": ["DownBlock2D"] + ["CrossAttnDownBlock2D"] * 2,
    "up_block_types": ["CrossAttnUpBlock2D"] * 2 + ["UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "attention_head_dim": [5, 10, 20],
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
REFINER = SDXL | {
    "block_out_channels": [384, 768, 1536, 1536],
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 4, 4, 4],
    "cross_attention_dim": 1280,
    "attention_head_dim": [6, 12, 24, 24],
    "projection_class_embeddings_input_dim": 2560,
}
"""What the published models are made with."""


def shapes_in_file(module: torch.nn.Module, names: dict[str, str]) -> dict[str, tuple[int, ...]]:
    layout = Layout({}, names)
    return {str(layout.in_file(name)): tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def levels(config: dict[str, Any]) -> list[Level]:
    kinds = zip(
        config["block_out_channels"], config["down_block_types"], config["transformer_layers_per_block"], strict=True
    )
    return [Level(width, config["layers_per_block"], depth if "Attn" in kind else 0) for width, kind, depth in kinds]


@pytest.mark.parametrize("config", [SD1, SD2, SDXL, REFINER], ids=["sd1", "sd2", "sdxl", "refiner"])
def test_the_configuration_of_a_published_unet_follows_from_its_tensors(config: dict[str, Any]) -> None:
    with torch.device("meta"):
        module = UNet2DConditionModel(**config)
    names = down_names(levels(config)) | up_names(levels(config))
    found = unet_layout(shapes_in_file(module, names))
    assert found.config == config | {"in_channels": 4, "out_channels": 4}


@pytest.mark.parametrize("config", [SD1, SD2, SDXL], ids=["sd1", "sd2", "sdxl"])
def test_the_configuration_of_a_published_controlnet_follows_from_its_tensors(config: dict[str, Any]) -> None:
    half = {key: value for key, value in config.items() if key != "up_block_types"}
    with torch.device("meta"):
        module = ControlNetModel(**half, conditioning_embedding_out_channels=(16, 32, 96, 256))
    found = controlnet_layout(shapes_in_file(module, controlnet_names(levels(config), hints=8)))
    hints = {"conditioning_channels": 3, "conditioning_embedding_out_channels": [16, 32, 96, 256]}
    assert found.config == half | hints | {"in_channels": 4}


def same(ours: torch.nn.Module, theirs: dict[str, torch.Tensor]) -> None:
    state = ours.state_dict()
    assert state.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.equal(state[name], tensor.float().reshape(state[name].shape)), name


@pytest.mark.parametrize("name", ["tiny-sd15", "tiny-sd2-v", "tiny-sdxl", "tiny-sdxl-refiner", "tiny-sd15-inpainting"])
def test_a_unet_has_each_tensor_where_diffusers_own_conversion_puts_it(name: str) -> None:
    model = loaded(name)
    with open_weights(checkpoint_file(name), name + ".safetensors") as weights:
        tensors = weights.tensors()
    converted = single_file_utils.convert_ldm_unet_checkpoint(tensors, model.unet.config)
    same(model.unet, converted)


def test_a_vae_has_each_tensor_where_diffusers_own_conversion_puts_it() -> None:
    model = loaded("tiny-sd15")
    with open_weights(checkpoint_file("tiny-sd15"), "tiny.safetensors") as weights:
        tensors = weights.tensors()
    converted = single_file_utils.convert_ldm_vae_checkpoint(tensors, {**model.vae.config})
    same(model.vae, converted)
    assert any(key.startswith(VAE) for key in tensors)


def test_a_controlnet_has_each_tensor_where_diffusers_own_conversion_puts_it() -> None:
    tensors = tiny.controlnet(Family.SDXL)
    shapes = {key.removeprefix("control_model."): tuple(tensor.shape) for key, tensor in tensors.items()}
    layout = controlnet_layout(shapes)
    converted = single_file_utils.convert_controlnet_checkpoint(dict(tensors), layout.config)
    for name, tensor in converted.items():
        assert torch.equal(tensors[f"control_model.{layout.in_file(name)}"], tensor), name


def test_the_encoder_of_openclip_has_each_tensor_where_diffusers_own_conversion_puts_it() -> None:
    model = loaded("tiny-sdxl")
    encoder = model.encoder("clip_g")
    assert encoder
    with open_weights(checkpoint_file("tiny-sdxl"), "tiny.safetensors") as weights:
        tensors = weights.tensors()
    prefix = f"{ENCODERS[Family.SDXL]['clip_g']}model."
    converted = single_file_utils.convert_open_clip_checkpoint(encoder, tensors, prefix=prefix)
    state = encoder.state_dict()
    assert {key for key in converted if "position_ids" not in key} >= state.keys()
    for name, tensor in state.items():
        assert torch.equal(tensor, converted[name].float()), name


def test_the_sizes_of_a_published_openclip_follow_from_its_tensors() -> None:
    shapes: dict[str, tuple[int, ...]] = {
        "model.token_embedding.weight": (49408, 1280),
        "model.positional_embedding": (77, 1280),
        "model.text_projection": (1280, 1280),
    }
    shapes |= {f"model.transformer.resblocks.{layer}.mlp.c_fc.weight": (5120, 1280) for layer in range(32)}
    config = encoder_layout(shapes).config
    sizes = (config.num_hidden_layers, config.num_attention_heads, config.intermediate_size, config.hidden_act)
    assert sizes == (32, 20, 5120, "gelu")


def test_the_tests_compute_on_the_processor_in_full_precision() -> None:
    assert loaded("tiny-sd15").placement == CPU
