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


class _Changes:
    """The weights that were changed, each with what it was before."""

    def __init__(self) -> None:
        self._before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def keep(self, weights: Sequence[torch.Tensor]) -> None:
        """Copies weights before their first change, all of one LoRA in one go."""
        new = [*{id(weight): weight for weight in weights if id(weight) not in self._before}.values()]
        copies = _like(new)
        if new:
            torch._foreach_copy_(copies, new)
        self._before |= {id(weight): (weight, copy) for weight, copy in zip(new, copies, strict=True)}

    def undo(self) -> None:
        """Puts back all of them, bit for bit."""
        if self._before:
            weights, copies = zip(*self._before.values(), strict=True)
            torch._foreach_copy_([*weights], [*copies])


def _like(weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Room for copies of weights: on the GPU as far as that has room."""
    room = float("inf")
    if any(weight.is_cuda for weight in weights):
        # Asked for once, as the driver takes its time; torch has memory besides that it does not use.
        unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        room = torch.cuda.mem_get_info()[0] + unused - ROOM
    made = []
    for weight in weights:
        room -= weight.nbytes
        made.append(torch.empty_like(weight) if room > 0 else torch.empty_like(weight, device="cpu"))
    return made


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
    found = [(place, modules[place], parts) for place, parts in use.lora.modules.items() if place in modules]
    if not found:
        raise _misfit(model, use.lora, "none of its parts has a place there")
    strengths = {True: use.strengths.unet, False: use.strengths.text}
    changed = [each for each in found if strengths[each[0][0] == "unet"] != 0]
    changes.keep([weight for _, module, parts in changed for weight in _touched(module, parts)])
    for place, module, parts in changed:
        strength = strengths[place[0] == "unet"]
        try:
            _change(module, parts, strength, use.strengths.dyn)
        except ValueError as error:
            raise _misfit(model, use.lora, f"its part for {place[1]} is {error}") from error
        except IndexError as error:
            raise _misfit(model, use.lora, f"its part for {place[1]} is a number, and no matrix") from error


ADDED = ("diff_b", "b_norm")
"""What is added to a bias."""


def _touched(module: torch.nn.Module, parts: Parts) -> list[torch.Tensor]:
    """The tensors of a module that a LoRA changes."""
    weights = [module.weight] if set(parts) - {"alpha", "scale", *ADDED} else []
    return [*weights, *([module.bias] if module.bias is not None and any(name in parts for name in ADDED) else [])]


def _change(module: torch.nn.Module, parts: Parts, strength: float, dyn: int | None) -> None:
    """Adds what the LoRA says to weight and bias of one module."""
    weight = module.weight
    factors = plain_factors(parts, dyn)
    if factors and weight.numel() == factors[0].shape[0] * factors[1].shape[1] and weight.is_contiguous():
        up, down, scale = factors
        weight.view(weight.shape[0], -1).addmm_(up.to(weight), down.to(weight), alpha=scale * strength)
    elif set(parts) - {"alpha", "scale", *ADDED}:
        # Single numbers stay where they are: to read one from a GPU waits for all that it was given.
        moved = {name: part.to(weight.device) if part.numel() > 1 else part for name, part in parts.items()}
        changed = weight.float() + difference(moved, weight, dyn) * strength
        weight.copy_(changed.to(weight.dtype))
    added = next((parts[name] for name in ADDED if name in parts), None)
    if added is not None:
        if module.bias is None:
            raise ValueError("for a bias that is not there")
        if module.bias.shape != added.shape:
            raise ValueError(f"of another shape than {tuple(module.bias.shape)}")
        module.bias.copy_(module.bias.float() + added.to(module.bias.device).float() * strength)


def _misfit(model: Model, lora: Lora, why: str) -> JobError:
    message = (
        f"The LoRA '{lora.name}' does not fit '{model.name}' ({model.kind.family}): {why}. "
        "It was made for another family of models."
    )
    return JobError("model_unsupported", message)
