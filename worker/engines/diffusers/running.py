"""Calls of a UNet: compiled where that is done, as a recorded graph where it is worth it, else as they are.

    runner.begin(calls=20)                # before each pass
    answer = runner(Inputs(latents, timestep, words))

The answer is the same up to rounding, whichever way it came.
"""

import logging
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from worker.engines.diffusers.graphs import Graphs, Recorder, Run, Tensors

log = logging.getLogger(__name__)

Shapes = tuple[tuple[str, tuple[int, ...], torch.dtype], ...]
"""Names, shapes and precisions of what a call is given."""
APART = 0.02
"""How far compiled answers may be from plain ones: the length of the difference through that of the answer. Half
precision in another order gives 0.002."""
ALIGNED = 16
"""Bytes: where a weight begins in memory must be a multiple."""
DOWN = "down_"


@dataclass(frozen=True)
class Inputs:
    """What a UNet is called with. `timestep` has one for each row of `latents`; `pooled` and `ids` are what SDXL is
    told besides; `down` and `middle` are what ControlNets add."""

    latents: Tensor
    timestep: Tensor
    words: Tensor
    pooled: Tensor | None = None
    ids: Tensor | None = None
    down: tuple[Tensor, ...] = ()
    middle: Tensor | None = None

    def named(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """The tensors by name, in the precision of the UNet. Timesteps and sizes stay in full: half cannot tell 2049
        pixels."""
        found = {"latents": self.latents.to(dtype), "timestep": self.timestep, "words": self.words.to(dtype)}
        if self.pooled is not None and self.ids is not None:
            found |= {"pooled": self.pooled.to(dtype), "ids": self.ids}
        found |= {f"{DOWN}{number:02}": each.to(dtype) for number, each in enumerate(self.down)}
        if self.middle is not None:
            found["middle"] = self.middle.to(dtype)
        return found


def answer_of(unet: Callable[..., Any], given: Tensors) -> Tensor:
    """What a UNet (of diffusers) answers to `Inputs.named`."""
    down = [given[name] for name in sorted(given) if name.startswith(DOWN)]
    extra = {"text_embeds": given["pooled"], "time_ids": given["ids"]} if "pooled" in given else None
    answer: Tensor = unet(
        given["latents"],
        given["timestep"],
        encoder_hidden_states=given["words"],
        added_cond_kwargs=extra,
        down_block_additional_residuals=down or None,
        mid_block_additional_residual=given.get("middle"),
        return_dict=False,
    )[0]
    return answer


class Compiled(Protocol):
    """UNets that were compiled, by what they are called with."""

    def ready(self, unet: Any) -> Mapping[Shapes, "Code"]:
        """What is ready for UNets of this kind. Returns at once."""
        ...

    def asked(self, unet: Any, shapes: Shapes) -> None:
        """Notes that a pass calls a UNet so; what is asked for often is compiled some time. Returns at once."""
        ...


Code = Callable[[Mapping[str, Tensor], Tensors], Tensor]
"""Compiled code: it is given the weights by name, and the tensors of a call."""


def weights_of(unet: Any) -> dict[str, Tensor]:
    """All weights of a UNet by name, parameters and buffers: what compiled code is given at each call."""
    return {**dict(unet.named_parameters()), **dict(unet.named_buffers())}


class Runner:
    """Calls one UNet. The model owns it, and with it every graph."""

    def __init__(self, unet: Any, recorder: Recorder | None = None, compiled: Compiled | None = None) -> None:
        """Without a recorder there are no graphs, and without `compiled` nothing is compiled."""
        self.unet = unet
        self.graphs = Graphs(recorder) if recorder else None
        self._compiled = compiled
        self._ready: Mapping[Shapes, Code] = {}
        self._trusted: set[Shapes] = set()
        self._rejected: set[Shapes] = set()
        self._asked: set[Shapes] = set()
        self._left = 0
        modules = [*unet.modules()]
        # Torch tells of hooks by no other name. The dictionaries stay the same ones when a hook comes or goes.
        self._hooks = [each._forward_hooks for each in modules]  # noqa: SLF001
        self._hooks += [each._forward_pre_hooks for each in modules]  # noqa: SLF001
        self._convolutions = [each for each in modules if isinstance(each, torch.nn.Conv2d)]
        self._weights = weights_of(unet)

    def begin(self, calls: int) -> None:
        """Begins a pass of about so many calls. Compiled code is taken up here and not in the middle of a picture."""
        self._left = calls
        self._asked.clear()
        if self._compiled is None:
            return
        self._ready = self._compiled.ready(self.unet)
        if any(weight.data_ptr() % ALIGNED for weight in self._weights.values()):
            # Compiled code reads several numbers at once, and does not look whether it may.
            self._ready = {}
        if self._ready and not self._in_channels_last():
            # What is compiled wants the weights of convolutions so. The graphs know the old addresses.
            self.release()
            self.unet.to(memory_format=torch.channels_last)

    def __call__(self, inputs: Inputs) -> Tensor:
        """What the UNet answers, in its own precision."""
        given = inputs.named(self.unet.dtype)
        self._left -= 1
        if any(self._hooks):
            # Hypernetworks: other modules in each job, which no graph and no compiled code knows.
            return answer_of(self.unet, given)
        shapes = tuple((name, tuple(tensor.shape), tensor.dtype) for name, tensor in given.items())
        paddings = tuple(each.padding_mode for each in self._convolutions)
        compute, is_compiled = self._way(shapes, paddings, given)
        try:
            if self.graphs is None:
                return compute(given)
            # The addresses are in the key as nothing else would notice that weights have moved.
            addresses = tuple(weight.data_ptr() for weight in self._weights.values())
            key: Hashable = (shapes, is_compiled, hash(paddings), hash(addresses))
            return self.graphs.run(key, compute, given, more=self._left > 0)
        except RuntimeError as error:
            # torch.OutOfMemoryError is one of them; compiled code tells of it by a plain one.
            if not is_compiled and not isinstance(error, torch.OutOfMemoryError):
                raise
            log.warning("a call of the UNet failed with %s: it is made again without graphs", type(error).__name__)
        if is_compiled:
            self._rejected.add(shapes)
        # Not in the block above: what raised there keeps its tensors as long as its error is handled.
        self.release()
        return answer_of(self.unet, given)

    def release(self) -> None:
        """Gives memory back: that of all graphs, and what torch keeps for later."""
        if self.graphs is not None:
            self.graphs.clear()
        if self.unet.device.type == "cuda":
            torch.cuda.empty_cache()

    def _way(self, shapes: Shapes, paddings: tuple[str, ...], given: Tensors) -> tuple[Run, bool]:
        """How a call is computed, and whether that is compiled code."""
        if self._compiled is not None and set(paddings) <= {"zeros"} and shapes not in self._rejected:
            if shapes not in self._asked:
                self._asked.add(shapes)
                self._compiled.asked(self.unet, shapes)
            code = self._ready.get(shapes)
            if code is not None and self._agrees(shapes, code, given):
                return lambda tensors: code(self._weights, tensors), True
        return lambda tensors: answer_of(self.unet, tensors), False

    def _agrees(self, shapes: Shapes, code: Code, given: Tensors) -> bool:
        """Whether compiled code answers as the UNet does; it is tried once, on the first call."""
        if shapes in self._trusted:
            return True
        plain = answer_of(self.unet, given).float()
        try:
            apart = (code(self._weights, given).float() - plain).norm() / plain.norm()
        except RuntimeError as error:
            log.warning("compiled code fails with %s, and is left alone: %s", type(error).__name__, error)
            self._rejected.add(shapes)
            return False
        # Not `>`: what is no number is not trusted either.
        if not apart.item() <= APART:
            log.warning("compiled code answers %.3f apart from the UNet, and is left alone", apart.item())
            if torch.isfinite(plain).all():
                self._rejected.add(shapes)
            return False
        self._trusted.add(shapes)
        return True

    def _in_channels_last(self) -> bool:
        weights = [each.weight for each in self._convolutions]
        return all(each.is_contiguous(memory_format=torch.channels_last) for each in weights)
