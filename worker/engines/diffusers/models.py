"""Checkpoints in memory: a file becomes the modules that paint.

    models = Models(device="cpu")
    model = models.get(path, "v1-5.safetensors")      # the same object as long as the file is the same
    model.unet, model.vae, model.encoders, model.tokenizer, model.kind

What a job changes in a model (`weights.apply`, `vaes.chosen`, `hypernetworks.apply`) is a context manager that puts
everything back.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTokenizer

from worker.engines.diffusers.autoencoders import vae_layout
from worker.engines.diffusers.encoders import TOKENS, TextEncoder, encoder_layout
from worker.engines.diffusers.families import ENCODERS, SCALING, UNET, VAE, Kind, Prediction, recognise
from worker.engines.diffusers.files import WeightFile, broken, missing, open_weights
from worker.engines.diffusers.running import Runner
from worker.engines.diffusers.tokens import tokenizer
from worker.engines.diffusers.unets import Layout, unet_layout
from worker.open_files import OpenFile

Step = Callable[[], None]
Source = tuple[str, Callable[[torch.Tensor], torch.Tensor]]
V_THRESHOLD = -1.0
"""At full noise a UNet that predicts the velocity answers with less than this, compared with its input."""


@dataclass(frozen=True)
class Placement:
    """Where a model computes, and how exactly: `device` is `cpu` or `cuda`, `dtype` that of UNet and encoders,
    `vae_dtype` that of the VAE."""

    device: str
    dtype: torch.dtype
    vae_dtype: torch.dtype


def placement(device: str | None = None) -> Placement:
    """The usual one for a device, by default for the best that is there: half precision on a GPU, full on a CPU."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.float32 if device == "cpu" else torch.float16
    return Placement(device, dtype, dtype)


@dataclass(eq=False)
class Model:
    """A checkpoint, ready to paint. `name` is its file's name.

    `unet_layout` knows the names of the UNet's parts in files. `latent_scale` is what the VAE's latents are multiplied
    with for the UNet; a VAE of another file is used with the same. `runner` calls the UNet, and owns its graphs.
    """

    name: str
    kind: Kind
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    encoders: tuple[TextEncoder, ...]
    unet_layout: Layout
    latent_scale: float
    placement: Placement
    runner: Runner

    @property
    def prediction(self) -> Prediction:
        """What the UNet predicts."""
        return self.kind.prediction or Prediction.EPSILON

    @cached_property
    def tokenizer(self) -> CLIPTokenizer:
        """The tokenizer of all encoders."""
        return tokenizer()

    def encoder(self, key: str) -> TextEncoder | None:
        """The text encoder `clip_l`, `clip_h` or `clip_g`; None when the family has none of that name."""
        return next((encoder for encoder in self.encoders if encoder.key == key), None)


class Models:
    """Keeps one checkpoint in memory, the last that was asked for."""

    def __init__(
        self, placed: Placement | None = None, *, pickles: bool = False, runner: Callable[[Any], Runner] = Runner
    ) -> None:
        """`pickles` allows checkpoints that are no .safetensors files; `runner` makes what calls a UNet."""
        self.placement = placed or placement()
        self._runner = runner
        self._pickles = pickles
        self._kept: tuple[object, Model] | None = None

    @property
    def loaded(self) -> list[str]:
        """The names of the checkpoints in memory."""
        current = self.current
        return [current.name] if current else []

    @property
    def current(self) -> Model | None:
        """The checkpoint in memory."""
        kept = self._kept
        return kept[1] if kept else None

    def get(self, path: Path | OpenFile, name: str, step: Step = lambda: None) -> Model:
        """The checkpoint at `path`, called `name`; it is read only if it is not in memory. It may still be on its way.

        `step` is called between the parts, and what it raises ends the loading. JobError `model_unreadable`,
        `model_unsupported` as the file is.
        """
        if isinstance(path, Path):
            with OpenFile.of(path) as file:
                return self.get(file, name, step)
        if self._kept is None or self._kept[0] != path.identity:
            # The one before goes first: two may not fit into a GPU's memory.
            self._kept = None
            self._kept = (path.identity, self._load(path, name, step))
        return replace(self._kept[1], name=name) if self._kept[1].name != name else self._kept[1]

    def _load(self, path: OpenFile, name: str, step: Step) -> Model:
        return load(path, name, self.placement, pickles=self._pickles, step=step, runner=self._runner)


def load(
    source: Path | OpenFile,
    name: str,
    placed: Placement,
    *,
    pickles: bool = False,
    step: Step = lambda: None,
    runner: Callable[[Any], Runner] = Runner,
) -> Model:
    """Reads a checkpoint. See `Models.get`."""
    beside = (source.path if isinstance(source, OpenFile) else source).with_suffix(".yaml")
    yaml = beside.read_text(errors="replace") if beside.is_file() else None
    opened = open_weights(source, name, pickles=pickles, device=placed.device, look=step)
    with opened as weights, torch.no_grad():
        step()
        kind = recognise(weights, yaml)
        scale = SCALING[kind.family]
        # All are prepared before one is filled, so that a missing tensor is found before gigabytes are read.
        encoders = [prepare_encoder(weights, key, prefix) for key, prefix in ENCODERS[kind.family].items()]
        vae = prepare_vae(weights, VAE, scale)
        layout = layout_in(weights, UNET, unet_layout)
        unet = prepare(weights, UNET, layout, UNet2DConditionModel)
        step()
        for prepared, dtype in (*((each, placed.dtype) for each in encoders), (vae, placed.vae_dtype)):
            prepared.fill(weights, placed.device, dtype)
            step()
        unet.fill(weights, placed.device, placed.dtype)
        step()
    if kind.prediction is None:
        kind = replace(kind, prediction=measured_prediction(unet.module))
    texts = tuple(each.module for each in encoders)
    return Model(name, kind, unet.module, vae.module, texts, layout, scale, placed, runner(unet.module))


@dataclass(frozen=True)
class Prepared:
    """A module without tensors yet, and where in the file each of them is."""

    module: Any
    sources: Mapping[str, Source]

    def fill(self, weights: WeightFile, device: str, dtype: torch.dtype) -> Any:
        """The module with the file's tensors. JobError `model_unreadable` for one that cannot be read or has another
        shape."""
        _assign(self.module, weights, self.sources, device, dtype)
        if isinstance(self.module, TextEncoder):
            # The only tensor that is in no file.
            self.module.text_model.embeddings.position_ids = torch.arange(TOKENS, device=device).unsqueeze(0)
        return self.module


def prepare_vae(weights: WeightFile, prefix: str, scale: float) -> Prepared:
    """The VAE whose tensors' names begin with `prefix`."""
    layout = layout_in(weights, prefix, lambda shapes: vae_layout(shapes, scale))
    return prepare(weights, prefix, layout, AutoencoderKL)


def prepare_encoder(weights: WeightFile, key: str, prefix: str) -> Prepared:
    """The text encoder `key`, whose tensors' names begin with `prefix`."""
    layout = layout_in(weights, prefix, encoder_layout)
    if key == "clip_g" and layout.projection is None:
        raise missing(weights.name, [f"{prefix}model.text_projection"])
    with torch.device("meta"):
        encoder = TextEncoder(key, layout.config, layout.projection)
    sources = {ours: (prefix + theirs, change) for ours, (theirs, change) in layout.sources.items()}
    return _complete(weights, encoder, sources)


def prepare(weights: WeightFile, prefix: str, layout: Layout, module: type[Any]) -> Prepared:
    """A module of the class `module` (of diffusers) for the tensors whose names begin with `prefix`.

    Raises JobError `model_unreadable`, which names the tensors that are missing.
    """
    with torch.device("meta"):
        made = module.from_config({**layout.config})
    sources: dict[str, Source] = {}
    for ours in made.state_dict():
        theirs = layout.in_file(ours)
        if theirs is None:
            raise broken(weights.name, KeyError(ours))
        sources[ours] = (prefix + theirs, lambda tensor: tensor)
    return _complete(weights, made, sources)


def _complete(weights: WeightFile, module: torch.nn.Module, sources: Mapping[str, Source]) -> Prepared:
    wanted = {theirs for theirs, _ in sources.values()}
    if absent := sorted(wanted - weights.shapes.keys()):
        raise missing(weights.name, absent)
    return Prepared(module, sources)


def layout_in(weights: WeightFile, prefix: str, layout_of: Callable[[Mapping[str, Any]], Any]) -> Any:
    """What `layout_of` makes of the shapes under `prefix`; a tensor that it misses is named."""
    try:
        return layout_of(weights.under(prefix))
    except KeyError as error:
        raise missing(weights.name, [f"{prefix}{error.args[0]}"]) from error
    except StopIteration as error:
        raise missing(weights.name, [f"{prefix}*.proj_in.weight"]) from error


def _assign(
    module: torch.nn.Module, weights: WeightFile, sources: Mapping[str, Source], device: str, dtype: torch.dtype
) -> None:
    """Puts the file's tensors into a module that has none yet, each as soon as it is read."""
    empty = module.state_dict()
    wanted: dict[str, list[str]] = {}
    for ours in empty:
        wanted.setdefault(sources[ours][0], []).append(ours)
    state = {}
    for theirs, tensor in weights.stream(wanted):
        # Every parameter gets memory of its own.
        shared = not weights.owned or len(wanted[theirs]) > 1
        for ours in wanted[theirs]:
            changed, shape = sources[ours][1](tensor), empty[ours].shape
            if changed.numel() != shape.numel():
                raise broken(weights.name, ValueError(f"{theirs} is {tuple(changed.shape)}, not {tuple(shape)}"))
            # Some files keep a matrix as a convolution of one pixel.
            state[ours] = changed.reshape(shape).to(device, dtype, copy=shared)
    module.load_state_dict(state, assign=True)
    module.requires_grad_(requires_grad=False)
    module.eval()


@torch.no_grad()
def measured_prediction(unet: UNet2DConditionModel) -> Prediction:
    """What the UNet of an SD 2.x checkpoint predicts, from what it answers at full noise; the WebUI asks the same."""
    words = torch.full((1, 2, unet.config.cross_attention_dim), 0.5, device=unet.device, dtype=unet.dtype)
    latent = torch.full((1, unet.config.in_channels, 8, 8), 0.5, device=unet.device, dtype=unet.dtype)
    answer = unet(latent, torch.tensor([999], device=unet.device), encoder_hidden_states=words).sample
    return Prediction.V if (answer - latent).float().mean().item() < V_THRESHOLD else Prediction.EPSILON
