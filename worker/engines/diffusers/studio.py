"""The model of a job with everything the job puts on it: VAE, LoRAs, hypernetworks, embeddings, tiling.

Whatever is put on is taken off again, bit for bit, when the job is done or goes on with another checkpoint.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from darkroom.jobs.contract import ModelFile, WorkRequest
from darkroom.webui.spelling import stem
from worker.engines.diffusers import embeddings, hypernetworks, loras, vaes, weights
from worker.engines.diffusers.loras import Strengths
from worker.engines.diffusers.models import Model, Models
from worker.engines.diffusers.plan import Prompts, needed_file
from worker.engines.diffusers.prompts.networks import NetworkUse
from worker.errors import JobError

HASH = 12
"""Digits of the hashes of LoRAs and embeddings."""
STATED = re.compile("[0-9a-f]{12,64}")
LEFT_OUT = str.maketrans("", "", ":,")
"""What the WebUI leaves out of a name that stands in a list of names and hashes."""


class Files(Protocol):
    """Where the files of a job are on this machine."""

    def path(self, file: ModelFile, look: Callable[[], None]) -> Path:
        """The path of a file, which is fetched if it is not there. `look` is called meanwhile."""
        ...


class HashedFiles(Files, Protocol):
    """The same, with their hashes: what stands under the pictures that they paint."""

    def sha256(self, file: ModelFile, look: Callable[[], None]) -> str:
        """The SHA-256 of a file in hex."""
        ...

    def content_sha256(self, file: ModelFile, look: Callable[[], None]) -> str:
        """The hash that the WebUI shows of a LoRA."""
        ...


@dataclass(frozen=True)
class Equipped:
    """A model that is ready for a pass, and the embeddings that its prompts may call, by their words. The hashes are
    what the text under a picture says of them: of embeddings and of LoRAs, by their names."""

    model: Model
    embeddings: Mapping[str, Mapping[str, Tensor]]
    embedding_hashes: Mapping[str, str]
    lora_hashes: Mapping[str, str]


class Studio:
    """Equips one checkpoint at a time for a job. Use it as a context manager around the job."""

    def __init__(
        self,
        request: WorkRequest,
        models: Models,
        files: HashedFiles,
        look: Callable[[], None],
        *,
        pickles: bool,
        tiling: bool,
    ) -> None:
        self._request = request
        self._models = models
        self._files = files
        self._look = look
        self._pickles = pickles
        self._tiling = tiling
        self._worn = ExitStack()
        self._now: tuple[object, Equipped] | None = None
        self.notices: list[str] = []

    def __enter__(self) -> "Studio":
        return self

    def __exit__(self, *_: object) -> None:
        self._take_off()

    def use(self, checkpoint: ModelFile, prompts: Prompts, *, second: bool = False) -> Equipped:
        """The checkpoint with what the tags of these prompts call for. On a `second` checkpoint of the job (refiner,
        hires pass) a LoRA of another family is left out with a notice, on the first it is an error.

        Raises JobError as the files are.
        """
        wanted = (checkpoint.name, prompts.uses, second)
        if self._now and self._now[0] == wanted:
            return self._now[1]
        self._take_off()
        model = self._models.get(self._path(checkpoint), checkpoint.name, self._look)
        try:
            equipped = self._put_on(model, prompts.uses, second)
        except BaseException:
            self._take_off()
            raise
        self._now = (wanted, equipped)
        return equipped

    @property
    def current(self) -> Equipped:
        """What `use` gave last."""
        if self._now is None:
            raise ValueError("no checkpoint is in use")
        return self._now[1]

    def _take_off(self) -> None:
        self._now = None
        self._worn.close()

    def _put_on(self, model: Model, uses: tuple[NetworkUse, ...], second: bool) -> Equipped:
        found, hashes, lora_hashes = [], {}, {}
        for file in self._of("embedding"):
            found.append(embeddings.read(self._path(file), file.name, pickles=self._pickles))
            hashes[found[-1].name] = self._files.sha256(file, self._look)[:HASH]
        chosen = next((file for file in self._of("vae") if file.s3), None)
        vae = vaes.read(self._path(chosen), chosen.name, model, pickles=self._pickles) if chosen else None
        self._worn.enter_context(vaes.chosen(model, vae))
        for use in uses:
            if use.kind == "lora" and (lora := self._put_on_lora(model, use, second)):
                found += lora.embeddings
                # The WebUI names the file of an embedding that came in a LoRA, where its hash would be.
                hashes |= {each.name: stem(lora.name) for each in lora.embeddings}
                lora_hashes[use.name.translate(LEFT_OUT)] = self._lora_hash(lora, use)
        networks = [self._hypernetwork(model, use) for use in uses if use.kind == "hypernetwork"]
        self._worn.enter_context(hypernetworks.apply(model, networks))
        if self._tiling:
            self._worn.enter_context(tiled(model))
        fitting = {each.name: vectors for each in found if (vectors := each.for_model(model)) is not None}
        return Equipped(model, fitting, hashes, lora_hashes)

    def sha256(self, file: ModelFile) -> str:
        """The SHA-256 of a file of the job."""
        return self._files.sha256(file, self._look)

    def _lora_hash(self, lora: loras.Lora, use: NetworkUse) -> str:
        """The one that the file says of itself, as in the WebUI; else that of its content."""
        if STATED.fullmatch(lora.stated_hash):
            return lora.stated_hash[:HASH]
        return self._files.content_sha256(needed_file(self._request, "lora", use.name), self._look)[:HASH]

    def _put_on_lora(self, model: Model, use: NetworkUse, second: bool) -> loras.Lora | None:
        """The LoRA, None when it was left out."""
        file = needed_file(self._request, "lora", use.name)
        lora = loras.read(self._path(file), file.name, model.placement.device, pickles=self._pickles)
        strengths = Strengths(unet=use.unet, text=use.encoders, dyn=use.rank)
        try:
            self._worn.enter_context(weights.apply(model, [weights.Use(lora, strengths)]))
        except JobError as error:
            if not second or error.code != "model_unsupported":
                raise
            self.notices.append(f"{file.name} was left out where {model.name} paints: it is of another family.")
            return None
        return lora

    def _hypernetwork(self, model: Model, use: NetworkUse) -> tuple[hypernetworks.Hypernetwork, float]:
        file = needed_file(self._request, "hypernetwork", use.name)
        placed = model.placement
        read = hypernetworks.read(self._path(file), file.name, placed.device, placed.dtype, pickles=self._pickles)
        return read, use.unet

    def _of(self, kind: str) -> list[ModelFile]:
        return self._request.models.get(kind, [])

    def _path(self, file: ModelFile) -> Path:
        self._look()
        return self._files.path(file, self._look)


@contextmanager
def tiled(model: Model) -> Iterator[None]:
    """Convolutions that go round: the picture's edges fit each other (the WebUI's `tiling`)."""
    layers = [
        layer for part in (model.unet, model.vae) for layer in part.modules() if isinstance(layer, torch.nn.Conv2d)
    ]
    before = [layer.padding_mode for layer in layers]
    for layer in layers:
        layer.padding_mode = "circular"
    try:
        yield
    finally:
        for layer, mode in zip(layers, before, strict=True):
            layer.padding_mode = mode
