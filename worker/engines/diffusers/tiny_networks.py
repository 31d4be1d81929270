"""Makes tiny random files of everything that is used beside a checkpoint: LoRAs of each form, embeddings,
hypernetworks, VAEs, upscalers. They fit the tiny checkpoints."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from worker.engines.diffusers import tiny, upscalers
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.models import Model
from worker.engines.diffusers.tiny import TINY, WIDTH, Tensors
from worker.engines.diffusers.weights import modules_of

RANK = 4
Parts = dict[str, torch.Tensor]


def lora(model: Model, form: str = "lora", seed: int = 0) -> Tensors:
    """The tensors of a LoRA for every matrix and convolution of the model's UNet and text encoders, with kohya's names.

    `form` is one of FORMS.
    """
    tensors: Tensors = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for (where, flat), module in modules_of(model).items():
            prefix = _prefix(model, where, flat)
            if prefix is None or not isinstance(module, FITTING.get(form, torch.nn.Linear | torch.nn.Conv2d)):
                continue
            tensors |= {f"{prefix}{flat}.{part}": tensor for part, tensor in FORMS[form](module.weight).items()}
    return tensors


def _prefix(model: Model, where: str, flat: str) -> str | None:
    """What kohya's trainer writes before a module's name; None for a name that it does not write."""
    large = len(model.encoders) > 1
    if where == "unet":
        as_in_file = flat.startswith(
            ("input_blocks", "middle_block", "output_blocks", "out_", "time_embed_", "label_emb")
        )
        ours = flat.startswith(("down_blocks", "mid_block", "up_blocks", "conv_", "time_embedding", "add_embedding"))
        return "lora_unet_" if (as_in_file if large else ours) else None
    if "embeddings" in flat:
        return None
    if large:
        return {"clip_l": "lora_te1_", "clip_g": "lora_te2_"}.get(where)
    return "lora_te_" if where == "first" else None


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape) * 0.2


def _lora(weight: torch.Tensor) -> Parts:
    out, inner, *kernel = weight.shape
    ones = [1] * len(kernel)
    return {
        "lora_up.weight": _random(out, RANK, *ones),
        "lora_down.weight": _random(RANK, inner, *kernel),
        "alpha": torch.tensor(RANK / 2),
    }


def _locon(weight: torch.Tensor) -> Parts:
    out, inner, *kernel = weight.shape
    if not kernel or kernel == [1, 1]:
        return _lora(weight)
    return {
        "lora_up.weight": _random(out, RANK, 1, 1),
        "lora_mid.weight": _random(RANK, RANK, *kernel),
        "lora_down.weight": _random(RANK, inner, 1, 1),
        "alpha": torch.tensor(RANK / 2),
    }


def _dora(weight: torch.Tensor) -> Parts:
    ones = [1] * (weight.dim() - 2)
    lengths = weight.float().transpose(0, 1).flatten(1).norm(dim=1).reshape(1, -1, *ones)
    return _lora(weight) | {"dora_scale": lengths * 1.1}


def _loha(weight: torch.Tensor) -> Parts:
    out, inner = weight.shape[0], weight[0].numel()
    halves = {
        f"hada_w{n}_{side}": _random(*shape)
        for n in (1, 2)
        for side, shape in (("a", (out, RANK)), ("b", (RANK, inner)))
    }
    return halves | {"alpha": torch.tensor(RANK / 2)}


def _lokr(weight: torch.Tensor) -> Parts:
    out, inner, *kernel = weight.shape
    first = 4 if out % 4 == 0 and inner % 4 == 0 else 1
    return {
        "lokr_w1": _random(first, first),
        "lokr_w2": _random(out // first, inner // first, *kernel),
        "alpha": torch.tensor(float(RANK)),
    }


def _ia3(weight: torch.Tensor) -> Parts:
    return {"weight": _random(weight.shape[0]), "on_input": torch.tensor(0)}


def _oft(weight: torch.Tensor) -> Parts:
    blocks = weight.shape[0] // 4 if weight.shape[0] % 4 == 0 else 1
    size = weight.shape[0] // blocks
    return {"oft_blocks": _random(blocks, size, size), "alpha": torch.tensor(0.0)}


def _full(weight: torch.Tensor) -> Parts:
    return {"diff": torch.randn_like(weight, dtype=torch.float32) * 0.05}


def _norm(weight: torch.Tensor) -> Parts:
    return {"w_norm": _random(*weight.shape), "b_norm": _random(*weight.shape)}


FORMS: Mapping[str, Callable[[torch.Tensor], Parts]] = {
    "lora": _lora,
    "locon": _locon,
    "dora": _dora,
    "loha": _loha,
    "lokr": _lokr,
    "ia3": _ia3,
    "oft": _oft,
    "full": _full,
    "norm": _norm,
}
"""The forms of LoRA, each made for one weight."""
FITTING: Mapping[str, Any] = {"norm": torch.nn.GroupNorm | torch.nn.LayerNorm}


def embedding(family: Family, words: int = 2, seed: int = 0) -> Tensors:
    """The tensors of an embedding of so many vectors."""
    made = torch.Generator().manual_seed(seed)
    rows = [torch.randn(words, WIDTH, generator=made) for _ in range(2)]
    return {"clip_l": rows[0], "clip_g": rows[1]} if family is Family.SDXL else {"emb_params": rows[0]}


def hypernetwork(family: Family, seed: int = 0) -> dict[Any, Any]:
    """What a hypernetwork's .pt file holds, for the widths of the tiny checkpoint's attention."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        widths = {level.channels for level in TINY[family].levels} | {TINY[family].words}
        networks = {
            width: tuple(
                {
                    "linear.0.weight": _random(2 * width, width),
                    "linear.0.bias": _random(2 * width),
                    "linear.2.weight": _random(width, 2 * width),
                    "linear.2.bias": _random(width),
                }
                for _ in range(2)
            )
            for width in sorted(widths)
        }
    settings = {
        "layer_structure": [1, 2, 1],
        "activation_func": "relu",
        "is_layer_norm": False,
        "activate_output": False,
    }
    return {**networks, **settings, "name": "tiny", "step": 0}


def vae(seed: int = 0) -> Tensors:
    """The tensors of a VAE in a file of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return tiny.vae()


def upscaler(scale: int = 2, seed: int = 0) -> Tensors:
    """The tensors of an ESRGAN that makes pictures `scale` times larger."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = upscalers.esrgan(num_filters=8, num_blocks=1, scale=scale)
    return {name: tensor.contiguous() for name, tensor in made.state_dict().items()}


def write_pickle(path: Path, content: object) -> Path:
    """Writes a file as torch's own `save` does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path
