"""The model of a job with everything the job puts on it: VAE, LoRAs, hypernetworks, embeddings, tiling.

Whatever is put on is taken off again, bit for bit, when the job is done or goes on with another checkpoint.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from darkroom.jobs.contract import ModelFile, WorkRequest
from worker.engines.diffusers import embeddings, hypernetworks, loras, vaes, weights
from worker.engines.diffusers.loras import Strengths
from worker.engines.diffusers.models import Model, Models
from worker.engines.diffusers.plan import Prompts, needed_file
from worker.engines.diffusers.prompts.networks import NetworkUse
from worker.errors import JobError


class Files(Protocol):
    """Where the files of a job are on this machine."""

    def path(self, file: ModelFile, look: Callable[[], None]) -> Path:
        """The path of a file, which is fetched if it is not there. `look` is called meanwhile."""
        ...


@dataclass(frozen=True)
class Equipped:
    """A model that is ready for a pass, and the embeddings that its prompts may call, by their words."""

    model: Model
    embeddings: Mapping[str, Mapping[str, Tensor]]


class Studio:
    """Equips one checkpoint at a time for a job. Use it as a context manager around the job."""

    def __init__(
        self,
        request: WorkRequest,
        models: Models,
        files: Files,
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
            equipped = Equipped(model, self._put_on(model, prompts.uses, second))
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

    def _put_on(self, model: Model, uses: tuple[NetworkUse, ...], second: bool) -> Mapping[str, Mapping[str, Tensor]]:
        found = [embeddings.read(self._path(file), file.name, pickles=self._pickles) for file in self._of("embedding")]
        chosen = next((file for file in self._of("vae") if file.s3), None)
        vae = vaes.read(self._path(chosen), chosen.name, model, pickles=self._pickles) if chosen else None
        self._worn.enter_context(vaes.chosen(model, vae))
        for use in uses:
            if use.kind == "lora":
                found += self._put_on_lora(model, use, second)
        networks = [self._hypernetwork(model, use) for use in uses if use.kind == "hypernetwork"]
        self._worn.enter_context(hypernetworks.apply(model, networks))
        if self._tiling:
            self._worn.enter_context(_tiled(model))
        return {each.name: vectors for each in found if (vectors := each.for_model(model)) is not None}

    def _put_on_lora(self, model: Model, use: NetworkUse, second: bool) -> list[embeddings.Embedding]:
        file = needed_file(self._request, "lora", use.name)
        lora = loras.read(self._path(file), file.name, model.placement.device, pickles=self._pickles)
        strengths = Strengths(unet=use.unet, text=use.encoders, dyn=use.rank)
        try:
            self._worn.enter_context(weights.apply(model, [weights.Use(lora, strengths)]))
        except JobError as error:
            if not second or error.code != "model_unsupported":
                raise
            self.notices.append(f"{file.name} was left out where {model.name} paints: it is of another family.")
        return list(lora.embeddings)

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
def _tiled(model: Model) -> Iterator[None]:
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
