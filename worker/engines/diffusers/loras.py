"""LoRA files: their tensors by module, whatever names the trainer gave them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from worker.engines.diffusers.embeddings import Embedding, bundled
from worker.engines.diffusers.files import metadata_json, open_weights
from worker.engines.diffusers.lora_forms import REFUSED, form_of
from worker.errors import JobError

# The end of a tensor's name, and what it is called here. The first that fits counts.
ENDS: tuple[tuple[str, str], ...] = (
    (r"\.lora_magnitude_vector(\.default)?(\.weight)?", "dora_scale"),
    (r"\.(lora_up|lora_B(\.default)?|lora(_linear_layer)?\.up)\.weight", "up"),
    (r"\.(lora_down|lora_A(\.default)?|lora(_linear_layer)?\.down)\.weight", "down"),
    (r"\.lora_mid\.weight", "mid"),
    (r"\.oft_diag", "oft_blocks"),
)
OTHER_ENDS = re.compile(
    r"\.(alpha|scale|dora_scale|hada_[wt]\d(?:_[ab])?|lokr_[wt]\d(?:_[ab])?|diff|diff_b|w_norm|b_norm|oft_blocks|"
    r"rescale|on_input|[ab][12m]\.weight|weight|bias_\w+|lambda_layer|wd_for_diff|\w+)$"
)
ATTENTION = re.compile(r"\.processor\.(to_[qkv]|to_out)_lora\.(up|down)\.weight$")
TEXT_ATTENTION = re.compile(r"\.self_attn\.to_(q|k|v|out)_lora\.(up|down)\.weight$")
# What a module's name begins with, and the part of the model that it is in: `unet`, or a text encoder.
BEGINNINGS: tuple[tuple[str, str], ...] = (
    ("lora_unet_", "unet"),
    ("oft_unet_", "unet"),
    ("lora_te1_", "clip_l"),
    ("lora_te2_", "clip_g"),
    ("lora_te_", "first"),
    ("lycoris_", "unet"),
    ("base_model.model.", "unet"),
    ("unet.", "unet"),
    ("text_encoder_2.", "clip_g"),
    ("text_encoder.", "first"),
    ("model.diffusion_model.", "unet"),
    ("diffusion_model.", "unet"),
)
BUNDLE = "bundle_emb."
ALIGNED = 64
"""Numbers after which another tensor may begin."""
FOREIGN = (
    ("double_blocks", "FLUX"),
    ("single_transformer_blocks", "FLUX"),
    ("joint_blocks", "Stable Diffusion 3"),
    ("transformer.", "another family of models"),
)


@dataclass(frozen=True)
class Lora:
    """A LoRA file. `modules` has its tensors by part of the model and name of the module, with `_` for each dot:
    `("unet", "down_blocks_0_attentions_0_proj_in")`. `embeddings` are those that are bundled in the file,
    `stated_hash` is the hash that its metadata says, or empty."""

    name: str
    modules: Mapping[tuple[str, str], Mapping[str, torch.Tensor]]
    embeddings: tuple[Embedding, ...] = ()
    stated_hash: str = ""


@dataclass(frozen=True)
class Strengths:
    """How strongly a LoRA counts in the UNet and in the text encoders; `dyn` limits its rank."""

    unet: float = 1.0
    text: float = 1.0
    dyn: int | None = None


def read(path: Path, name: str, device: str = "cpu", *, pickles: bool = False) -> Lora:
    """The LoRA in the file at `path`, its tensors on `device`.

    JobError `model_unreadable` for a broken file, `model_unsupported` for a form of LoRA that is not known, or none.
    """
    with open_weights(path, name, pickles=pickles) as weights:
        tensors = weights.tensors()
        stated = weights.metadata.get("sshs_model_hash", "")
        alphas = _adapter_alphas(metadata_json(weights.metadata, "lora_adapter_metadata"))
    modules: dict[tuple[str, str], dict[str, torch.Tensor]] = {}
    own = {key: tensor for key, tensor in tensors.items() if not key.startswith(BUNDLE)}
    for key, tensor in moved(own, device).items():
        if (found := _place(key)) is None:
            raise _foreign(name, key)
        place, part = found
        modules.setdefault(place, {})[part] = tensor
    for (where, _), parts in modules.items():
        if where in alphas and "alpha" not in parts:
            parts["alpha"] = torch.tensor(alphas[where])
    for parts in modules.values():
        if set(parts) <= {"alpha", "scale"}:
            continue
        if form_of(parts) is None and "diff_b" not in parts:
            kind = next((REFUSED[part] for part in parts if part in REFUSED), f"with {', '.join(sorted(parts))}")
            message = f"The file '{name}' has a form of LoRA that this engine does not know: {kind}."
            raise JobError("model_unsupported", message)
    if not modules:
        raise JobError("model_unsupported", f"The file '{name}' is no LoRA.")
    return Lora(name, modules, bundled(BUNDLE, tensors), stated)


def moved(tensors: Mapping[str, torch.Tensor], device: str) -> dict[str, torch.Tensor]:
    """The tensors on a device, by one transfer for each precision: a LoRA has thousands of small ones.

    Single numbers stay on the processor, where they are read.
    """
    found = dict(tensors)
    if device == "cpu":
        return found
    many = {name: tensor for name, tensor in tensors.items() if tensor.numel() > 1}
    for dtype in {tensor.dtype for tensor in many.values()}:
        places, end = {}, 0
        for name, tensor in many.items():
            if tensor.dtype is dtype:
                places[name] = end
                # Where a matrix begins decides how fast it is multiplied.
                end += -(-tensor.numel() // ALIGNED) * ALIGNED
        packed = torch.empty(end, dtype=dtype, pin_memory=device == "cuda")
        for name, begin in places.items():
            packed[begin : begin + many[name].numel()].copy_(many[name].flatten())
        there = packed.to(device, non_blocking=True)
        for name, begin in places.items():
            found[name] = there[begin : begin + many[name].numel()].view(many[name].shape)
    return found


def _adapter_alphas(adapter: Mapping[str, object]) -> dict[str, float]:
    """The alphas that diffusers keeps in a file's metadata, for all modules of a part."""
    parts = {"unet": "unet", "text_encoder": "first", "text_encoder_2": "clip_g"}
    found = {}
    for theirs, ours in parts.items():
        alpha = adapter.get(f"{theirs}.lora_alpha")
        if isinstance(alpha, int | float):
            found[ours] = float(alpha)
    return found


def _place(key: str) -> tuple[tuple[str, str], str] | None:
    """Where the tensor `key` belongs: part of the model, module, and name of the tensor; None if nowhere."""
    key = ATTENTION.sub(lambda m: f".{m[1]}{'.0' if m[1] == 'to_out' else ''}.lora.{m[2]}.weight", key)
    key = TEXT_ATTENTION.sub(lambda m: f".self_attn.{m[1]}_proj.lora.{m[2]}.weight", key)
    module, part = key, ""
    for pattern, called in ENDS:
        if match := re.search(pattern + "$", key):
            module, part = key[: match.start()], called
            break
    else:
        if match := OTHER_ENDS.search(key):
            module, part = key[: match.start()], match.group(1)
    for beginning, where in BEGINNINGS:
        if part and module.startswith(beginning):
            return (where, module[len(beginning) :].replace(".", "_")), part
    if part and re.match(r"(down|mid|up|input|output|middle)_blocks?[._]", module):
        return ("unet", module.replace(".", "_")), part
    return None


def _foreign(name: str, key: str) -> JobError:
    for part, family in FOREIGN:
        if part in key:
            return JobError("model_unsupported", f"The file '{name}' is a LoRA for {family}.")
    return JobError("model_unsupported", f"The file '{name}' is no LoRA that this engine knows: it has '{key}'.")
