"""From a prompt's spans to chunks of 75 tokens, each of which CLIP reads by itself.

As in the WebUI 1.10 (modules/sd_hijack_clip.py, `tokenize_line`): a chunk that ends shortly behind a comma ends at that
comma (the setting `comma_padding_backtrack`), an embedding is not cut in two, and BREAK begins a new chunk.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from worker.engines.diffusers.prompts.attention import BREAK, Span

LENGTH = 75
"""Tokens of a chunk, without the marks of its begin and end."""


class Embedding(Protocol):
    """A textual inversion, as many vectors as it has stand for its name."""

    @property
    def vectors(self) -> int: ...


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer: `tokens` gives the ids of a text, without marks; `comma` is the id of `,</w>`. `embeddings` are by
    the ids of their names."""

    tokens: Callable[[str], Sequence[int]]
    comma: int
    embeddings: Mapping[tuple[int, ...], Embedding] = field(default_factory=dict)


@dataclass(frozen=True)
class Chunk:
    """LENGTH tokens at most: ids, the weight of each, and where embeddings stand, whose ids are 0."""

    ids: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    embeddings: tuple[tuple[int, Embedding], ...] = ()


def chunks(spans: Sequence[Span], vocabulary: Vocabulary, backtrack: int = 20) -> list[Chunk]:
    """The chunks of a prompt, at least one. `backtrack` is how many tokens behind a comma a chunk may end at it."""
    filling = _Filling(backtrack)
    lookup = _Lookup(vocabulary.embeddings)
    for span in spans:
        if span is BREAK:
            filling.finish()
            continue
        ids = vocabulary.tokens(span.text)
        at = 0
        while at < len(ids):
            filling.make_room(ids[at] == vocabulary.comma)
            taken, embedding = lookup.at(ids, at)
            if embedding is None:
                filling.add(ids[at], span.weight)
            else:
                filling.add_embedding(embedding, span.weight)
            at += taken
    return filling.all()


class _Filling:
    """Chunks that are filled one after the other."""

    def __init__(self, backtrack: int) -> None:
        self._backtrack = backtrack
        self._done: list[Chunk] = []
        self._begin([], [], [])

    def _begin(self, ids: list[int], weights: list[float], embeddings: list[tuple[int, Embedding]]) -> None:
        self._ids, self._weights, self._embeddings = ids, weights, embeddings
        self._comma = -1

    def make_room(self, comma: bool) -> None:
        """Called before each token: remembers a comma, and begins a new chunk when this one is full."""
        full = len(self._ids) == LENGTH
        if comma:
            self._comma = len(self._ids)
        elif full and self._comma >= 0 and 0 < len(self._ids) - self._comma <= self._backtrack:
            self._end_at(self._comma + 1)
        if len(self._ids) == LENGTH:
            self.finish()

    def _end_at(self, end: int) -> None:
        ids, weights = self._ids[end:], self._weights[end:]
        moved = [(at - end, each) for at, each in self._embeddings if at >= end]
        self._ids, self._weights = self._ids[:end], self._weights[:end]
        self._embeddings = [(at, each) for at, each in self._embeddings if at < end]
        self.finish()
        self._begin(ids, weights, moved)

    def add(self, token: int, weight: float) -> None:
        self._ids.append(token)
        self._weights.append(weight)

    def add_embedding(self, embedding: Embedding, weight: float) -> None:
        vectors = min(embedding.vectors, LENGTH)
        if len(self._ids) + vectors > LENGTH:
            self.finish()
        self._embeddings.append((len(self._ids), embedding))
        self._ids += [0] * vectors
        self._weights += [weight] * vectors

    def finish(self) -> None:
        """Ends this chunk, though it may be empty."""
        self._done.append(Chunk(tuple(self._ids), tuple(self._weights), tuple(self._embeddings)))
        self._begin([], [], [])

    def all(self) -> list[Chunk]:
        if self._ids or not self._done:
            self.finish()
        return self._done


class _Lookup:
    """Embeddings by where a text says their names, the longest one first."""

    def __init__(self, embeddings: Mapping[tuple[int, ...], Embedding]) -> None:
        self._by_first: dict[int, list[tuple[tuple[int, ...], Embedding]]] = {}
        for ids, embedding in sorted(embeddings.items(), key=lambda each: -len(each[0])):
            if ids:
                self._by_first.setdefault(ids[0], []).append((ids, embedding))

    def at(self, ids: Sequence[int], at: int) -> tuple[int, Embedding | None]:
        """How many tokens are taken, and the embedding that they name."""
        for name, embedding in self._by_first.get(ids[at], ()):
            if tuple(ids[at : at + len(name)]) == name:
                return len(name), embedding
        return 1, None
