"""BLIP, which describes a picture by a sentence: from single files in the layout of transformers
(Salesforce/blip-image-captioning-base and -large), or in that of its authors, as the WebUI has it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

import torch
from PIL import Image
from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, StoppingCriteria, StoppingCriteriaList

from worker.engines.diffusers.files import Shape, WeightFile, missing
from worker.engines.diffusers.foreign import count, filled, heads
from worker.engines.diffusers.interrogating.lists import WordList
from worker.engines.diffusers.interrogating.options import InterrogateOptions
from worker.engines.diffusers.interrogating.pixels import squeezed
from worker.engines.diffusers.models import Placement
from worker.errors import JobError

BEGINNING = "a picture of"
"""How the model is made to begin; it does not stand in the caption (as in the WebUI)."""
SPECIAL = 2
"""Tokens behind those of the vocabulary: the first of them begins a caption."""
_TEXT = "text_decoder.bert."
_AUTHORS = (
    (r"^visual_encoder\.blocks\.", "vision_model.encoder.layers."),
    (r"^visual_encoder\.norm\.", "vision_model.post_layernorm."),
    (r"^visual_encoder\.patch_embed\.proj\.", "vision_model.embeddings.patch_embedding."),
    (r"^visual_encoder\.pos_embed$", "vision_model.embeddings.position_embedding"),
    (r"^visual_encoder\.cls_token$", "vision_model.embeddings.class_embedding"),
    (r"^(vision_model\.encoder\.layers\.\d+)\.attn\.proj\.", r"\1.self_attn.projection."),
    (r"^(vision_model\.encoder\.layers\.\d+)\.attn\.", r"\1.self_attn."),
    (r"^(vision_model\.encoder\.layers\.\d+)\.norm(\d)\.", r"\1.layer_norm\2."),
)
"""Names of the authors' layout, and those of transformers."""


def is_blip(weights: WeightFile) -> bool:
    """Whether the file is a BLIP that makes captions."""
    return f"{_TEXT}embeddings.word_embeddings.weight" in weights.shapes


@dataclass(frozen=True)
class Blip:
    """A BLIP with its vocabulary, ready to describe. `side` is the size of its pictures in pixels."""

    model: Any
    tokenizer: BertTokenizer
    words: int
    side: int
    placed: Placement

    @torch.no_grad()
    def caption(self, picture: Image.Image, options: InterrogateOptions, look: Callable[[], None]) -> str:
        """A sentence about the picture (RGB). `look` is called between its words."""
        pixels = squeezed(picture, self.side).to(self.placed.device, self.placed.dtype)
        begun = [self.words, *self.tokenizer(BEGINNING, add_special_tokens=False)["input_ids"]]
        # The library leaves the last token of a prompt out: it expects the one that ends a sentence.
        prompt = torch.tensor([[*begun, self.tokenizer.sep_token_id]], device=self.placed.device)
        tokens = self.model.generate(
            pixel_values=pixels,
            input_ids=prompt,
            do_sample=False,
            num_beams=options.interrogate_clip_num_beams,
            min_length=options.interrogate_clip_min_length,
            max_length=options.interrogate_clip_max_length,
            stopping_criteria=StoppingCriteriaList([_Looking(look)]),
        )[0].tolist()
        said = [token for token in tokens[len(begun) :] if token < self.words]
        text: str = self.tokenizer.decode(said, skip_special_tokens=True, clean_up_tokenization_spaces=True)
        return text.strip()


class _Looking(StoppingCriteria):
    """Never stops by itself; what `look` raises ends the sentence."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        self._look()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def read(weights: WeightFile, vocabulary: WordList, placed: Placement) -> Blip:
    """The BLIP in an open file, with the words that its tokens mean.

    JobError `model_unreadable` for a file that lacks tensors, `model_unsupported` for a vocabulary of another model.
    """
    shapes = {_renamed(key): shape for key, shape in weights.shapes.items()}
    try:
        config = _config(shapes)
    except KeyError as error:
        raise missing(weights.name, [str(error.args[0])]) from error
    words = len(vocabulary.lines)
    if words != config.text_config.vocab_size - SPECIAL:
        why = f"has {words} words, and '{weights.name}' knows {config.text_config.vocab_size - SPECIAL}"
        raise JobError("model_unsupported", f"The vocabulary '{vocabulary.name}' {why}: upload the one beside it.")
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(vocabulary.lines)})
    config.text_config.bos_token_id = words
    config.text_config.sep_token_id = tokenizer.sep_token_id
    config.text_config.pad_token_id = tokenizer.pad_token_id
    model = filled(weights, BlipForConditionalGeneration, config, placed.device, placed.dtype, _renamed)
    return Blip(model, tokenizer, words, config.vision_config.image_size, placed)


def _renamed(key: str) -> str:
    for theirs, ours in _AUTHORS:
        key = re.sub(theirs, ours, key)
    return key


def _config(shapes: Mapping[str, Shape]) -> BlipConfig:
    """The configuration that the shapes tell."""
    words, width = shapes[f"{_TEXT}embeddings.word_embeddings.weight"]
    seen, _, patch, _ = shapes["vision_model.embeddings.patch_embedding.weight"]
    patches = shapes["vision_model.embeddings.position_embedding"][1] - 1
    return BlipConfig(
        text_config={
            "vocab_size": words,
            "hidden_size": width,
            "encoder_hidden_size": shapes[f"{_TEXT}encoder.layer.0.crossattention.self.key.weight"][1],
            "intermediate_size": shapes[f"{_TEXT}encoder.layer.0.intermediate.dense.weight"][0],
            "num_hidden_layers": count(shapes, f"{_TEXT}encoder.layer."),
            "num_attention_heads": heads(width),
            "max_position_embeddings": shapes[f"{_TEXT}embeddings.position_embeddings.weight"][0],
        },
        vision_config={
            "hidden_size": seen,
            "intermediate_size": shapes["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
            "num_hidden_layers": count(shapes, "vision_model.encoder.layers."),
            "num_attention_heads": heads(seen),
            "image_size": patch * isqrt(patches),
            "patch_size": patch,
        },
    )
