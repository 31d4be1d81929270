"""Hypernetworks: small networks that change what the UNet's attention takes its keys and values from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from worker.engines.diffusers.files import broken, load_pickle
from worker.engines.diffusers.models import Model
from worker.errors import JobError

NAMED = {"linear": "Identity", "relu": "ReLU", "leakyrelu": "LeakyReLU", "elu": "ELU", "swish": "Hardswish"}
"""The WebUI's names of activations that are not those of torch."""
OLD = {"linear1": "linear.0", "linear2": "linear.1"}


@dataclass(frozen=True)
class Hypernetwork:
    """A hypernetwork file: for each width of the attention's input the networks for keys and for values."""

    name: str
    networks: Mapping[int, tuple[torch.nn.Module, torch.nn.Module]]


def read(path: Path, name: str, device: str, dtype: torch.dtype, *, pickles: bool = False) -> Hypernetwork:
    """The hypernetwork in the file at `path`. JobError `model_unreadable`, `model_unsupported`."""
    content = load_pickle(path, name, pickles=pickles)
    if not isinstance(content, dict):
        raise _none(name)
    networks = {}
    for width, pair in content.items():
        if not isinstance(width, int):
            continue
        try:
            key, value = (_network(tensors, content, name).to(device, dtype).eval() for tensors in pair)
        except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
            raise broken(name, error) from error
        networks[width] = (key.requires_grad_(requires_grad=False), value.requires_grad_(requires_grad=False))
    if not networks:
        raise _none(name)
    return Hypernetwork(name, networks)


def _network(tensors: Mapping[str, torch.Tensor], settings: Mapping[str, Any], name: str) -> torch.nn.Module:
    """The network that `tensors` are the weights of. Their numbers say where each layer is; between them is nothing but
    the activation, and dropout, which only counts in training."""
    renamed = {}
    for key, tensor in tensors.items():
        head, _, part = key.rpartition(".")
        renamed[f"{OLD.get(head, head)}.{part}"] = tensor
    places = sorted({int(key.split(".")[1]) for key in renamed})
    matrices = [place for place in places if renamed[f"linear.{place}.weight"].dim() == 2]
    activation = _activation(settings.get("activation_func"), name)
    layers: list[torch.nn.Module] = []
    for place in places:
        weight, bias = renamed[f"linear.{place}.weight"], renamed[f"linear.{place}.bias"]
        layer = (
            torch.nn.Linear(weight.shape[1], weight.shape[0]) if place in matrices else torch.nn.LayerNorm(len(weight))
        )
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers.append(layer)
        if place in matrices and (place != matrices[-1] or settings.get("activate_output", True)):
            layers.append(activation())
    return torch.nn.Sequential(*layers)


def _activation(said: object, name: str) -> Callable[[], torch.nn.Module]:
    if said is None:
        return torch.nn.Identity
    word = str(said).lower()
    known = {called.lower(): called for called in torch.nn.modules.activation.__all__}
    found = NAMED.get(word, known.get(word))
    if found is None or found == "MultiheadAttention":
        message = f"The hypernetwork '{name}' has an activation that this engine does not know: {said}."
        raise JobError("model_unsupported", message)
    made: Callable[[], torch.nn.Module] = getattr(torch.nn, found)
    return made


@contextmanager
def apply(model: Model, uses: Sequence[tuple[Hypernetwork, float]]) -> Iterator[None]:
    """The model with these hypernetworks, one after the other, each with its strength.

    JobError `model_unsupported` for a hypernetwork that has no width in common with this checkpoint.
    """
    for network, _ in uses:
        widths = {module.in_features for _, module, _ in _inputs(model)}
        if not widths & network.networks.keys():
            message = f"The hypernetwork '{network.name}' does not fit '{model.name}': it was made for another family."
            raise JobError("model_unsupported", message)
    with ExitStack() as hooks:
        for name, module, which in _inputs(model) if uses else ():
            del name
            hook = module.register_forward_pre_hook(_changed(uses, which))
            hooks.callback(hook.remove)
        yield


def _inputs(model: Model) -> Iterator[tuple[str, torch.nn.Linear, int]]:
    """The layers of the UNet that make keys (0) and values (1)."""
    for name, module in model.unet.named_modules():
        last = name.rpartition(".")[2]
        if last in ("to_k", "to_v"):
            yield name, module, int(last == "to_v")


def _changed(
    uses: Sequence[tuple[Hypernetwork, float]], which: int
) -> Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], tuple[torch.Tensor, ...]]:
    def change(_: torch.nn.Module, given: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        context, *others = given
        for network, strength in uses:
            pair = network.networks.get(context.shape[-1])
            if pair is not None:
                context = context + pair[which](context) * strength
        return (context, *others)

    return change


def _none(name: str) -> JobError:
    return JobError("model_unsupported", f"The file '{name}' is no hypernetwork.")
