"""ControlNets from single files, in the layout of their authors or of diffusers."""

from pathlib import Path

import torch
from diffusers.models.controlnets.controlnet import ControlNetModel

from worker.engines.diffusers.families import unsupported
from worker.engines.diffusers.files import WeightFile, missing, open_weights
from worker.engines.diffusers.models import Model, layout_in, prepare
from worker.engines.diffusers.unets import Layout, Level, controlnet_layout, controlnet_names
from worker.errors import JobError

# A part of the names of tensors, and what a file with such a name is. The first that is found counts.
OTHERS = (
    ("lora_controlnet", "a Control-LoRA"),
    ("lllite_unet", "a ControlNet LLLite"),
    ("ip_adapter.", "an IP-Adapter"),
    ("image_proj.", "an IP-Adapter"),
    ("adapter.body.", "a T2I-Adapter"),
    ("body.0.", "a T2I-Adapter"),
    ("style_embedding", "a T2I style adapter"),
    ("task_embedding", "a ControlNet Union"),
    ("control_add_embedding.", "a ControlNet Union"),
    ("controlnet_blocks.", "a ControlNet for Stable Diffusion 3 or FLUX"),
    ("double_blocks.", "a ControlNet for FLUX"),
    ("lora_unet_", "a LoRA"),
    ("model.diffusion_model.", "a checkpoint"),
)


def read(path: Path, name: str, model: Model, *, pickles: bool = False) -> ControlNetModel:
    """The ControlNet in the file at `path`, for the checkpoint `model`.

    JobError `model_unsupported` for a file that is another kind of network, or a ControlNet for another family;
    `model_unreadable` for a broken one.
    """
    with open_weights(path, name, pickles=pickles, device=model.placement.device) as weights, torch.no_grad():
        prefix, layout = _layout(weights)
        words, own = layout.config["cross_attention_dim"], model.unet.config.cross_attention_dim
        if words != own:
            why = f"a ControlNet for prompts of {words} numbers a token; those of {model.name} have {own}"
            raise _refused(name, why)
        prepared = prepare(weights, prefix, layout, ControlNetModel)
        made: ControlNetModel = prepared.fill(weights, model.placement.device, model.placement.dtype)
        return made


def _layout(weights: WeightFile) -> tuple[str, Layout]:
    for part, what in OTHERS:
        if any(part in key for key in weights.shapes):
            raise _refused(weights.name, f"{what}, and no ControlNet that this engine knows")
    if "difference" in weights.shapes:
        raise _refused(weights.name, "a ControlNet that is kept as the difference to a checkpoint")
    if any(key.startswith("controlnet_cond_embedding.") for key in weights.shapes):
        return "", _as_diffusers_keeps_it(weights)
    prefix = "control_model." if any(key.startswith("control_model.") for key in weights.shapes) else ""
    shapes = weights.under(prefix)
    if "input_hint_block.0.weight" not in shapes:
        raise unsupported(weights.name, "no ControlNet")
    return prefix, layout_in(weights, prefix, controlnet_layout)


def _as_diffusers_keeps_it(weights: WeightFile) -> Layout:
    """The same as `controlnet_layout`, for a file whose names are those of diffusers."""
    renamed = {theirs: ours for ours, theirs in _other_names(weights).items()}
    shapes = {}
    for key, shape in weights.shapes.items():
        head, tail = key, ""
        while head and head not in renamed:
            head, _, last = head.rpartition(".")
            tail = f".{last}{tail}"
        if head:
            shapes[renamed[head] + tail] = shape
    try:
        config = controlnet_layout(shapes).config
    except (KeyError, StopIteration) as error:
        raise missing(weights.name, [str(error.args[0]) if error.args else "*.proj_in.weight"]) from error
    modules = {key.split(".")[0] for key in weights.shapes}
    return Layout(config, {module: module for module in modules})


def _other_names(weights: WeightFile) -> dict[str, str]:
    """The names of the authors' layout by those of diffusers, for the ControlNet in `weights`."""
    levels: list[Level] = []
    while any(key.startswith(f"down_blocks.{len(levels)}.") for key in weights.shapes):
        prefix = f"down_blocks.{len(levels)}."
        here = {key for key in weights.shapes if key.startswith(prefix)}
        layers = len({key.split(".")[3] for key in here if key.startswith(f"{prefix}resnets.")})
        attends = any(key.startswith(f"{prefix}attentions.") for key in here)
        levels.append(Level(0, layers, int(attends)))
    hints = len([key for key in weights.shapes if key.startswith("controlnet_cond_embedding.") and "weight" in key])
    return {theirs: ours for ours, theirs in controlnet_names(levels, hints).items()}


def _refused(name: str, what: str) -> JobError:
    return JobError("model_unsupported", f"The file '{name}' is {what}.")
