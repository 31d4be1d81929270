"""From prompts to what the UNet is told: the text encoders' answers, for each step of a pass.

As in the WebUI 1.10 (modules/sd_hijack_clip.py, sd_hijack_open_clip.py, sd_models_xl.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from worker.engines.diffusers.encoders import TOKENS, TextEncoder
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.prompts.attention import Span, spans
from worker.engines.diffusers.prompts.chunks import LENGTH, Chunk, Vocabulary, chunks
from worker.engines.diffusers.prompts.composition import Part, parts
from worker.engines.diffusers.prompts.options import PromptOptions
from worker.engines.diffusers.prompts.schedule import PassSteps, Schedule, schedule
from worker.errors import JobError

START, END = 49406, 49407
"""The tokens that begin and end a chunk."""
COMMA = 267
"""The token of `,` at the end of a word."""
PADDING = {"clip_l": END, "clip_h": 0, "clip_g": 0}
"""What stands behind the end of a prompt, as each encoder was trained."""
XL = frozenset({Family.SDXL, Family.REFINER})


@dataclass(frozen=True, eq=False)
class _Inversion:
    """An embedding: its name, and its vectors (n, width) by text encoder."""

    name: str
    by_encoder: Mapping[str, Tensor]

    @property
    def vectors(self) -> int:
        return len(next(iter(self.by_encoder.values())))


@dataclass(frozen=True, eq=False)
class Condition:
    """What the UNet is told of one prompt: `words` (1, tokens, width), and for SDXL also `pooled` (1, width) and `ids`
    (1, 5 or 6): the sizes, or the score."""

    words: Tensor
    pooled: Tensor | None = None
    ids: Tensor | None = None


@dataclass(frozen=True)
class Conditions:
    """What is told in each step of a pass: the parts of the prompt with their weights, and the negative prompt."""

    positive: tuple[tuple[float, Schedule, tuple[Condition, ...]], ...]
    negative: tuple[Schedule, tuple[Condition, ...]]

    def at(self, calls: int) -> tuple[list[tuple[float, Condition]], Condition]:
        """Those that hold when the UNet was asked `calls` times before in this pass."""
        plan, told = self.negative
        wanted = [(weight, each[when.number_at(calls)]) for weight, when, each in self.positive]
        return wanted, told[plan.number_at(calls)]


class Teller:
    """Makes the conditions for one model, with the embeddings that a job may use."""

    def __init__(
        self,
        model: Model,
        options: PromptOptions,
        embeddings: Mapping[str, Mapping[str, Tensor]] | None = None,
        step: Callable[[], None] = lambda: None,
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        """`embeddings` are by the words that call them, their vectors (n, width) by text encoder (`for_model`), and so
        are their `hashes`. `step` is called before each text that is encoded."""
        self._model = model
        self._options = options
        self._step = step
        self.told: dict[str, str] = {}
        """What is said of the prompts under the picture."""
        self._hashes = hashes or {}
        named = {tuple(self._tokens(name)): _Inversion(name, each) for name, each in (embeddings or {}).items()}
        self._vocabulary = Vocabulary(self._tokens, COMMA, named)

    @torch.no_grad()
    def conditions(self, prompt: str, negative: str, steps: PassSteps, size: tuple[int, int]) -> Conditions:
        """The conditions of a pass; `size` is the picture's width and height in pixels."""
        # As in the WebUI what is not wanted comes first; the text under a picture shows it.
        unwanted = schedule(negative, steps)
        not_told = self._all(unwanted.texts, size, negative=True)
        positive = []
        for part in parts(prompt) if prompt else [Part("")]:
            plan = schedule(part.prompt, steps)
            positive.append((part.weight, plan, self._all(plan.texts, size, negative=False)))
        return Conditions(tuple(positive), (unwanted, not_told))

    def _all(self, texts: Iterable[str], size: tuple[int, int], *, negative: bool) -> tuple[Condition, ...]:
        known: dict[str, Condition] = {}
        for text in texts:
            if text not in known:
                self._step()
                known[text] = self._condition(text, size, negative=negative)
        return tuple(known[text] for text in texts)

    def _condition(self, text: str, size: tuple[int, int], *, negative: bool) -> Condition:
        read = chunks(self._spans(text), self._vocabulary, self._options.comma_padding_backtrack)
        if len(read) > MOST_CHUNKS:
            why = f"has {len(read)} chunks of {LENGTH} tokens; this engine takes {MOST_CHUNKS}"
            raise JobError("parameter_invalid", f"The prompt {why}. Make it shorter.")
        self._tell(text, read)
        encoded = [self._encoded(encoder, read) for encoder in self._model.encoders]
        words = torch.cat([words for words, _ in encoded], dim=-1)
        if not torch.isfinite(words).all():
            raise JobError("parameter_invalid", "The weights in the prompt are so large that nothing can be painted.")
        if self._model.kind.family not in XL:
            return Condition(words)
        pooled = encoded[-1][1]
        if negative and not text and self._model.kind.family is Family.SDXL:
            # SDXL was trained with zeros for "no words".
            words, pooled = torch.zeros_like(words), torch.zeros_like(pooled)
        return Condition(words, pooled, self._ids(size, negative=negative))

    def _tell(self, text: str, read: Sequence[Chunk]) -> None:
        """Notes which embeddings a text called, and how its emphasis was meant if not as usual."""
        names = dict.fromkeys(cast("_Inversion", each).name for chunk in read for _, each in chunk.embeddings)
        called = [f"{name.translate(LEFT_OUT)}: {self._hashes[name]}" for name in names if name in self._hashes]
        before = self.told.get("TI hashes")
        told = [*called, *(before.split(", ") if before else [])]
        if told:
            self.told["TI hashes"] = ", ".join(dict.fromkeys(told))
        if ("(" in text or "[" in text) and self._options.emphasis != "Original":
            self.told["Emphasis"] = self._options.emphasis

    def _ids(self, size: tuple[int, int], *, negative: bool) -> Tensor:
        options, (width, height) = self._options, size
        ids: list[float] = [height, width, options.sdxl_crop_top, options.sdxl_crop_left]
        if self._model.kind.family is Family.REFINER:
            low, high = options.sdxl_refiner_low_aesthetic_score, options.sdxl_refiner_high_aesthetic_score
            ids.append(low if negative else high)
        else:
            ids += [height, width]
        return torch.tensor([ids], device=self._model.placement.device, dtype=torch.float32)

    def _encoded(self, encoder: TextEncoder, read: Sequence[Chunk]) -> tuple[Tensor, Tensor]:
        """Words (1, tokens, width) of all chunks, and the pooled vector (1, width) of the first."""
        words, pooled_of = [], []
        for begin in range(0, len(read), CHUNKS_AT_ONCE):
            self._step()
            some = read[begin : begin + CHUNKS_AT_ONCE]
            with encoder.with_vectors(list(_places(some, encoder.key))):
                ids = torch.tensor([_framed(chunk, PADDING[encoder.key]) for chunk in some])
                layers, pooled = encoder(ids.to(self._model.placement.device))
            hidden = self._layer(encoder, layers)
            if self._options.emphasis in ("Original", "No norm"):
                hidden = self._weighted(hidden, some)
            words.append(hidden.reshape(1, -1, hidden.shape[-1]))
            pooled_of.append(pooled)
        return torch.cat(words, dim=1), pooled_of[0][:1]

    def _layer(self, encoder: TextEncoder, layers: list[Tensor]) -> Tensor:
        """The layer that the UNet was trained with, or the one that CLIP skip asks for."""
        skip = min(self._options.clip_skip, len(layers) - 1)
        family = self._model.kind.family
        if family is Family.SD1:
            return encoder.final_norm(layers[-skip])
        if family is Family.SD2:
            # The files of this family hold one layer more than is used, or have left it out.
            return encoder.final_norm(layers[-2] if len(layers) > USED_OF_CLIP_H + 1 else layers[-1])
        return layers[-skip] if encoder.key == "clip_l" and self._options.sdxl_clip_l_skip else layers[-2]

    def _weighted(self, hidden: Tensor, read: Sequence[Chunk]) -> Tensor:
        """The words times their weights; each chunk keeps its mean, unless the option `emphasis` is "No norm"."""
        weights = torch.tensor([[1.0, *chunk.weights, *[1.0] * (TOKENS - 1 - len(chunk.weights))] for chunk in read])
        if bool((weights == 1).all()):
            return hidden
        weighted = hidden.float() * weights.to(hidden.device).unsqueeze(-1)
        if self._options.emphasis == "Original":
            before, after = (each.mean(dim=(1, 2), keepdim=True) for each in (hidden.float(), weighted))
            weighted = weighted * (before / after)
        return weighted.to(hidden.dtype)

    def _spans(self, text: str) -> list[Span]:
        return spans(text, emphasis=self._options.emphasis != "None")

    def _tokens(self, text: str) -> list[int]:
        return list(self._model.tokenizer(text, add_special_tokens=False)["input_ids"]) if text.strip() else []


LEFT_OUT = str.maketrans("", "", ":,")
USED_OF_CLIP_H = 23
"""Layers of the text encoder of SD 2.x whose answer the UNet was trained with."""
MOST_CHUNKS = 400
"""Some 30,000 tokens: more words than anybody means, and as many as a GPU's memory holds."""
CHUNKS_AT_ONCE = 32


def _framed(chunk: Chunk, padding: int) -> list[int]:
    rest = [padding] * (LENGTH - len(chunk.ids))
    # The first end is the one that counts; behind it the encoder expects its padding.
    return [START, *chunk.ids, END, *rest] if rest else [START, *chunk.ids, END]


def _places(read: Sequence[Chunk], key: str) -> Iterator[tuple[int, int, Tensor]]:
    """Where vectors of embeddings stand: chunk, position behind its beginning, vectors."""
    for number, chunk in enumerate(read):
        for at, embedding in chunk.embeddings:
            vectors = cast("_Inversion", embedding).by_encoder.get(key)
            if vectors is not None:
                yield number, at + 1, vectors
