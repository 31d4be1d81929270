"""Compiles a UNet for one shape of its inputs: `python -m worker.engines.diffusers.compiling RECIPE PACKAGE`.

A process of its own: torch's compiler is Python for a minute or two, and would hold up the jobs of the process that it
runs in. The recipe names shapes only, so no weights are in the package, nor in the memory of this process: they are
given at each call, and one package does for every checkpoint of a family, with any LoRA in it.
"""

import hashlib
import json
import os
import platform
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor
from torch._subclasses import FakeTensorMode  # noqa: PLC2701 - torch has no other name for it

from worker.engines.diffusers.graphs import Tensors
from worker.engines.diffusers.running import Code, Shapes, answer_of, weights_of

FORM = 1
"""Goes up when packages of before do not fit any more."""


@dataclass(frozen=True)
class Recipe:
    """What is compiled: the UNet's configuration, its weights and its inputs by name with shapes and precisions, and
    what for. Two recipes are the same if and only if one package does for both."""

    config: Mapping[str, Any]
    weights: tuple[tuple[str, tuple[int, ...], str], ...]
    inputs: tuple[tuple[str, tuple[int, ...], str], ...]
    device: str
    card: str
    torch: str
    diffusers: str
    form: int = FORM

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the recipe in hex."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    def text(self) -> str:
        """The recipe as JSON."""
        return json.dumps(asdict(self), sort_keys=True, default=list)


def recipe(unet: Any, shapes: Shapes) -> Recipe:
    """The recipe for a UNet on its device, called with tensors of these shapes."""
    device = unet.device.type
    config = {name: value for name, value in unet.config.items() if not name.startswith("_")}
    return Recipe(
        config=json.loads(json.dumps(config, default=list)),
        weights=tuple((name, tuple(each.shape), _word(each.dtype)) for name, each in sorted(weights_of(unet).items())),
        inputs=tuple((name, shape, _word(dtype)) for name, shape, dtype in shapes),
        device=device,
        card=card(device),
        torch=torch.__version__,
        diffusers=diffusers.__version__,
    )


def card(device: str) -> str:
    """What computes, as code for it runs nowhere else: the GPU's name and generation, or the processor's kind."""
    if device != "cuda":
        return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"
    major, minor = torch.cuda.get_device_capability()
    return f"{torch.cuda.get_device_name()} {major}.{minor}"


def compile_package(made: Recipe, package: Path) -> None:
    """Compiles a recipe into the file `package`, whose name ends with `.pt2`. Raises whatever torch raises."""
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(dict(made.config)).eval().requires_grad_(requires_grad=False)
    names = [name for name, _, _ in made.weights]
    called = [name for name, _, _ in made.inputs]
    with torch.no_grad():
        with FakeTensorMode():
            weights = tuple(_empty(shape, dtype, made.device, weight=True) for _, shape, dtype in made.weights)
            inputs = tuple(_empty(shape, dtype, made.device) for _, shape, dtype in made.inputs)
            program = torch.export.export(_Pure(unet, names, called), (weights, inputs), strict=False)
        torch._inductor.aoti_compile_and_package(  # noqa: SLF001 - torch's documented name
            program,
            package_path=str(package),
            # Weights change between two calls, so nothing may be calculated from them beforehand.
            inductor_configs={"freezing": False, "aot_inductor.compile_wrapper_opt_level": "O0"},
        )


def load_package(package: Path, made: Recipe) -> Code:
    """The compiled code in `package`. It is native code, and runs in this process. Raises RuntimeError for what is no
    package of this version of torch."""
    # Single-threaded: a lock inside of it cannot be recorded in a graph.
    code = torch._inductor.aoti_load_package(str(package), run_single_threaded=True)  # noqa: SLF001 - as above
    names = [name for name, _, _ in made.weights]
    called = [name for name, _, _ in made.inputs]

    def run(weights: Mapping[str, Tensor], given: Tensors) -> Tensor:
        # The code does not look at strides.
        answer: Tensor = code(
            tuple(weights[name] for name in names), tuple(given[name].contiguous() for name in called)
        )
        return answer

    return run


class _Pure(torch.nn.Module):
    """The UNet as a function of its weights."""

    def __init__(self, unet: Any, weights: list[str], inputs: list[str]) -> None:
        super().__init__()
        # Not a submodule, whose weights would become constants.
        self.__dict__["unet"] = unet
        self._weights = weights
        self._inputs = inputs

    def forward(self, weights: tuple[Tensor, ...], inputs: tuple[Tensor, ...]) -> Tensor:
        given = dict(zip(self._weights, weights, strict=True))

        def unet(*args: Any, **kwargs: Any) -> Any:
            return torch.func.functional_call(self.unet, given, args, kwargs)

        return answer_of(unet, dict(zip(self._inputs, inputs, strict=True)))


def _empty(shape: tuple[int, ...], dtype: str, device: str, *, weight: bool = False) -> Tensor:
    # The weights of convolutions are as `Runner` lays them out for compiled code.
    layout = torch.channels_last if weight and len(shape) == 4 else torch.contiguous_format
    return torch.empty(tuple(shape), dtype=getattr(torch, dtype), device=device, memory_format=layout)


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def main(arguments: list[str]) -> int:
    """Compiles the recipe in the first file into the second. It ends with the process that started it."""
    source, target = map(Path, arguments)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    compile_package(Recipe(**json.loads(source.read_text())), target)
    return 0


def _end_with_parent() -> None:
    """The other end of standard input is the worker's; it closes whichever way the worker ends."""
    # Not through sys.stdin, whose lock Python would wait for at its end.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
