"""Changes a model's weights for one job, in place, and puts back every bit afterwards.

    with weights.apply(model, [Use(lora, Strengths(unet=0.8, text=0.6))]):
        ...

The weights stay where they are in memory, so a graph that was recorded over them stays valid.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from worker.engines.diffusers.lora_forms import Parts, difference, plain_factors
from worker.engines.diffusers.loras import Lora, Strengths
from worker.engines.diffusers.models import Model
from worker.errors import JobError

ROOM = 1024**3
"""Bytes of a GPU's memory that copies of weights leave free; beyond that they go to the processor's memory."""


@dataclass(frozen=True)
class Use:
    """A LoRA, and how strongly it counts."""

    lora: Lora
    strengths: Strengths = field(default_factory=Strengths)


@dataclass
class _Changes:
    """The weights that were changed, each with what it was before."""

    before: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def keep(self, weight: torch.Tensor) -> None:
        """Copies a weight before its first change."""
        if id(weight) not in self.before:
            self.before[id(weight)] = (weight, _copy(weight))

    def undo(self) -> None:
        """Puts back all of them, bit for bit."""
        for weight, copy in self.before.values():
            weight.copy_(copy)


def _copy(weight: torch.Tensor) -> torch.Tensor:
    if weight.is_cuda and torch.cuda.mem_get_info()[0] < ROOM + weight.nbytes:
        return weight.cpu()
    return weight.clone()


@contextmanager
def apply(model: Model, uses: Sequence[Use]) -> Iterator[None]:
    """The model with these LoRAs, one after the other, in its weights.

    JobError `model_unsupported`, before anything is changed for good, for a LoRA that does not fit this checkpoint.
    """
    changes = _Changes()
    try:
        with torch.no_grad():
            if uses:
                modules = modules_of(model)
                for use in uses:
                    _merge(model, use, modules, changes)
        yield
    finally:
        with torch.no_grad():
            changes.undo()


def modules_of(model: Model) -> dict[tuple[str, str], torch.nn.Module]:
    """Every module of the model that has a weight, by all names that LoRA files have for it: diffusers' own, and those
    of the checkpoint's file, with `_` for each dot."""
    found: dict[tuple[str, str], torch.nn.Module] = {}
    for name, module in model.unet.named_modules():
        if getattr(module, "weight", None) is None:
            continue
        found["unet", name.replace(".", "_")] = module
        if in_file := model.unet_layout.in_file(name):
            found["unet", in_file.replace(".", "_")] = module
    for number, encoder in enumerate(model.encoders):
        for name, module in encoder.named_modules():
            if getattr(module, "weight", None) is None:
                continue
            flat = name.replace(".", "_")
            found[encoder.key, flat] = module
            if number == 0:
                found["first", flat] = module
    return found


def _merge(model: Model, use: Use, modules: dict[tuple[str, str], torch.nn.Module], changes: _Changes) -> None:
    fits = False
    for place, parts in use.lora.modules.items():
        module = modules.get(place)
        if module is None:
            continue
        fits = True
        strength = use.strengths.unet if place[0] == "unet" else use.strengths.text
        if strength == 0:
            continue
        try:
            _change(module, parts, strength, use.strengths.dyn, changes)
        except ValueError as error:
            raise _misfit(model, use.lora, f"its part for {place[1]} is {error}") from error
        except IndexError as error:
            raise _misfit(model, use.lora, f"its part for {place[1]} is a number, and no matrix") from error
    if not fits:
        raise _misfit(model, use.lora, "none of its parts has a place there")


def _change(module: torch.nn.Module, parts: Parts, strength: float, dyn: int | None, changes: _Changes) -> None:
    """Adds what the LoRA says to weight and bias of one module."""
    weight = module.weight
    factors = plain_factors(parts, dyn)
    if factors and weight.numel() == factors[0].shape[0] * factors[1].shape[1] and weight.is_contiguous():
        up, down, scale = factors
        changes.keep(weight)
        weight.view(weight.shape[0], -1).addmm_(up.to(weight), down.to(weight), alpha=scale * strength)
    elif set(parts) - {"alpha", "scale", "diff_b", "b_norm"}:
        moved = {name: part.to(weight.device) for name, part in parts.items()}
        changed = weight.float() + difference(moved, weight, dyn) * strength
        changes.keep(weight)
        weight.copy_(changed.to(weight.dtype))
    added = parts.get("diff_b", parts.get("b_norm"))
    if added is not None:
        if module.bias is None:
            raise ValueError("for a bias that is not there")
        if module.bias.shape != added.shape:
            raise ValueError(f"of another shape than {tuple(module.bias.shape)}")
        changes.keep(module.bias)
        module.bias.copy_(module.bias.float() + added.to(module.bias.device).float() * strength)


def _misfit(model: Model, lora: Lora, why: str) -> JobError:
    message = (
        f"The LoRA '{lora.name}' does not fit '{model.name}' ({model.kind.family}): {why}. "
        "It was made for another family of models."
    )
    return JobError("model_unsupported", message)
