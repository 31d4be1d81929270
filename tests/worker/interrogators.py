"""Tiny random models that describe pictures, in the layouts of the real files."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import BlipConfig, BlipForConditionalGeneration, CLIPConfig, CLIPModel

WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "a",
    "picture",
    "of",
    "light",
    "##house",
    "at",
    "night",
    "sea",
    "boat",
    ".",
)
"""The vocabulary of the tiny BLIP."""
TAGS = ("1girl", "rating:safe", "long_hair", "fate_(series)", "sky", "blue_sky")
Tensors = dict[str, torch.Tensor]
_AUTHORS = (
    (r"vision_model\.embeddings\.patch_embedding\.", "visual_encoder.patch_embed.proj."),
    (r"vision_model\.embeddings\.position_embedding", "visual_encoder.pos_embed"),
    (r"vision_model\.embeddings\.class_embedding", "visual_encoder.cls_token"),
    (r"vision_model\.post_layernorm\.", "visual_encoder.norm."),
    (r"vision_model\.encoder\.layers\.(\d+)\.layer_norm(\d)\.", r"visual_encoder.blocks.\1.norm\2."),
    (r"vision_model\.encoder\.layers\.(\d+)\.self_attn\.projection\.", r"visual_encoder.blocks.\1.attn.proj."),
    (r"vision_model\.encoder\.layers\.(\d+)\.self_attn\.", r"visual_encoder.blocks.\1.attn."),
    (r"vision_model\.encoder\.layers\.(\d+)\.", r"visual_encoder.blocks.\1."),
)


def blip(seed: int = 0) -> BlipForConditionalGeneration:
    """A BLIP for pictures of 32 pixels that knows WORDS."""
    text = {
        "vocab_size": len(WORDS) + 2,
        "hidden_size": 64,
        "encoder_hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "max_position_embeddings": 64,
        "bos_token_id": len(WORDS),
        "sep_token_id": WORDS.index("[SEP]"),
    }
    seen = {
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 1,
        "image_size": 32,
        "patch_size": 16,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=seen))
        for parameter in made.parameters():
            # Those of a fresh one are so small that no picture would show.
            torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def blip_tensors(made: BlipForConditionalGeneration, *, authors: bool = False) -> Tensors:
    """Its tensors as a file has them: without those that are others by a second name; with `authors` under the names
    of its authors."""
    twice = ("text_decoder.cls.predictions.decoder.weight", "text_decoder.cls.predictions.decoder.bias")
    tensors = {key: tensor.contiguous() for key, tensor in made.state_dict().items() if key not in twice}
    # A file of an earlier version of the library has these numbers, too.
    tensors["text_decoder.bert.embeddings.position_ids"] = torch.arange(64).unsqueeze(0)
    if not authors:
        return tensors
    for ours, theirs in _AUTHORS:
        tensors = {re.sub(ours, theirs, key): tensor for key, tensor in tensors.items()}
    return tensors


def clip(seed: int = 0) -> CLIPModel:
    """A CLIP for pictures of 28 pixels."""
    layer = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1}
    text = {**layer, "vocab_size": 49408, "eos_token_id": 49407, "bos_token_id": 49406}
    config = CLIPConfig(
        text_config=text, vision_config={**layer, "image_size": 28, "patch_size": 14}, projection_dim=16
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = CLIPModel(config)
        for parameter in made.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


SHAPES = (
    # The first convolution; a block with one beside it; two blocks of the same width; one that makes it smaller.
    (8, 3, 7), (16, 8, 1), (4, 8, 1), (4, 4, 3), (16, 4, 1),
    (4, 16, 1), (4, 4, 3), (16, 4, 1),
    (24, 16, 1), (6, 16, 1), (6, 6, 3), (24, 6, 1),
    # One that makes it smaller and changes no width: the convolution beside it comes last.
    (6, 24, 1), (6, 6, 3), (24, 6, 1), (24, 24, 1),
    (6, 24, 1), (6, 6, 3), (24, 6, 1),
)  # fmt: skip
"""Out, in and side of the convolutions of a tiny DeepBooru network, in the order of the real one."""


def deepbooru(seed: int = 0) -> Tensors:
    """Its tensors, with a last convolution that has no bias."""
    generator = torch.Generator().manual_seed(seed)
    tensors: Tensors = {}
    for number, (out, into, side) in enumerate((*SHAPES, (len(TAGS), 24, 1))):
        scale = (2 / (into * side * side)) ** 0.5
        tensors[f"n_Conv_{number}.weight"] = torch.randn(out, into, side, side, generator=generator) * scale
        tensors[f"n_Conv_{number}.bias"] = torch.randn(out, generator=generator) * 0.1
    del tensors[f"n_Conv_{len(SHAPES)}.bias"]
    return tensors


def write_lines(path: Path, lines: tuple[str, ...]) -> Path:
    """Writes a list of words."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write(path: Path, tensors: Mapping[str, torch.Tensor]) -> Path:
    """Writes tensors as a .safetensors file, in full precision."""
    save_file(dict(tensors), path)
    return path
