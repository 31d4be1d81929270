"""The text encoders: CLIP as the family of the checkpoint has it, from both layouts that files keep it in."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from transformers import CLIPTextConfig, CLIPTextModel

from worker.engines.diffusers.files import Shape

TOKENS = 77
"""Positions of a prompt's chunk, with its beginning and its end."""
LEGACY_END = 2
"""As `eos_token_id` it makes transformers take the pooled vector at the highest token, as CLIP itself does."""
OPEN_CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
PACKED = ("q_proj", "k_proj", "v_proj")
"""The order of the three matrices that OpenCLIP keeps in one."""


class TextEncoder(torch.nn.Module):
    """One text encoder. `key` tells which it is: `clip_l` (SD 1.x, SDXL), `clip_h` (SD 2.x), `clip_g` (SDXL).

    The names of its submodules are those that LoRA files use: `text_model.encoder.layers.0.mlp.fc1`,
    `text_projection`.
    """

    def __init__(self, key: str, config: CLIPTextConfig, projection: int | None) -> None:
        super().__init__()
        self.key = key
        self.width: int = config.hidden_size
        self.text_model = CLIPTextModel(config)
        self.text_projection = torch.nn.Linear(self.width, projection, bias=False) if projection else None

    def forward(self, tokens: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        """What each layer made of `tokens` (chunks by 77): their input, then the output of layer 1, 2, … without the
        final norm; and the pooled vector of each chunk, after the final norm and the projection."""
        done = self.text_model(input_ids=tokens, output_hidden_states=True)
        pooled = done.pooler_output
        if self.text_projection is not None:
            pooled = self.text_projection(pooled)
        return list(done.hidden_states), pooled

    def final_norm(self, hidden: torch.Tensor) -> torch.Tensor:
        """The norm after the last layer, which the WebUI also applies to an earlier layer of CLIP skip."""
        normed: torch.Tensor = self.text_model.final_layer_norm(hidden)
        return normed

    @contextmanager
    def with_vectors(self, places: Sequence[tuple[int, int, torch.Tensor]]) -> Iterator[None]:
        """Puts vectors of textual inversion in the place of tokens: (chunk, position in it, vectors), one vector after
        the other; those that do not fit before the end of the chunk are left out."""

        def put(_: torch.nn.Module, __: object, embedded: torch.Tensor) -> torch.Tensor:
            embedded = embedded.clone()
            for chunk, position, vectors in places:
                fitting = vectors[: TOKENS - 1 - position].to(embedded)
                embedded[chunk, position : position + len(fitting)] = fitting
            return embedded

        hook = self.text_model.embeddings.token_embedding.register_forward_hook(put)
        try:
            yield
        finally:
            hook.remove()


@dataclass(frozen=True)
class EncoderLayout:
    """A text encoder in a file: its shapes, and where each of its parameters comes from: the file's tensor and what is
    to be done with it."""

    config: CLIPTextConfig
    projection: int | None
    sources: Mapping[str, tuple[str, Callable[[torch.Tensor], torch.Tensor]]]


def _as_it_is(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def _transposed(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.t().contiguous()


def _third(number: int) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda tensor: tensor.chunk(3)[number]


def _layers(shapes: Mapping[str, Shape], pattern: str) -> int:
    found = (re.match(pattern, key) for key in shapes)
    return max((int(match.group(1)) + 1 for match in found if match), default=0)


def _config(words: Shape, positions: int, layers: int, inner: int, act: str, projection: int | None) -> CLIPTextConfig:
    vocabulary, width = words
    return CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        projection_dim=projection or width,
        num_hidden_layers=layers,
        # Every CLIP has 64 channels for each head.
        num_attention_heads=max(1, width // 64),
        max_position_embeddings=positions,
        hidden_act=act,
        bos_token_id=0,
        eos_token_id=LEGACY_END,
        attn_implementation="sdpa",
    )


def encoder_layout(shapes: Mapping[str, Shape]) -> EncoderLayout:
    """The layout of an encoder from the shapes of its tensors, named without what stands before `transformer.` or
    `model.`. Raises KeyError when a tensor is missing that decides over it."""
    if any(key.startswith(("transformer.text_model.", "transformer.encoder.")) for key in shapes):
        return _hugging_face(shapes)
    return _open_clip(shapes)


def _hugging_face(shapes: Mapping[str, Shape]) -> EncoderLayout:
    old = not any(key.startswith("transformer.text_model.") for key in shapes)
    prefix = "transformer." if old else "transformer.text_model."
    layers = _layers(shapes, re.escape(prefix) + r"encoder\.layers\.(\d+)\.")
    config = _config(
        shapes[f"{prefix}embeddings.token_embedding.weight"],
        shapes[f"{prefix}embeddings.position_embedding.weight"][0],
        layers,
        shapes[f"{prefix}encoder.layers.0.mlp.fc1.weight"][0],
        "quick_gelu",
        None,
    )
    names = [f"embeddings.{kind}_embedding.weight" for kind in ("token", "position")]
    names += [f"final_layer_norm.{part}" for part in ("weight", "bias")]
    for layer in range(layers):
        modules = [*OPEN_CLIP, *(f"self_attn.{matrix}" for matrix in PACKED)]
        names += [f"encoder.layers.{layer}.{module}.{part}" for module in modules for part in ("weight", "bias")]
    return EncoderLayout(config, None, {f"text_model.{name}": (prefix + name, _as_it_is) for name in names})


def _open_clip(shapes: Mapping[str, Shape]) -> EncoderLayout:
    layers = _layers(shapes, r"model\.transformer\.resblocks\.(\d+)\.")
    projection = shapes["model.text_projection"][1] if "model.text_projection" in shapes else None
    config = _config(
        shapes["model.token_embedding.weight"],
        shapes["model.positional_embedding"][0],
        layers,
        shapes["model.transformer.resblocks.0.mlp.c_fc.weight"][0],
        "gelu",
        projection,
    )
    sources: dict[str, tuple[str, Callable[[torch.Tensor], torch.Tensor]]] = {
        "text_model.embeddings.token_embedding.weight": ("model.token_embedding.weight", _as_it_is),
        "text_model.embeddings.position_embedding.weight": ("model.positional_embedding", _as_it_is),
    }
    if projection:
        sources["text_projection.weight"] = ("model.text_projection", _transposed)
    for part in ("weight", "bias"):
        sources[f"text_model.final_layer_norm.{part}"] = (f"model.ln_final.{part}", _as_it_is)
        for layer in range(layers):
            ours, theirs = f"text_model.encoder.layers.{layer}", f"model.transformer.resblocks.{layer}"
            for our_name, their_name in OPEN_CLIP.items():
                sources[f"{ours}.{our_name}.{part}"] = (f"{theirs}.{their_name}.{part}", _as_it_is)
            for number, matrix in enumerate(PACKED):
                sources[f"{ours}.self_attn.{matrix}.{part}"] = (f"{theirs}.attn.in_proj_{part}", _third(number))
    return EncoderLayout(config, projection, sources)
