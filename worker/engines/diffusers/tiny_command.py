"""`python -m worker.engines.diffusers.tiny FOLDER`: writes tiny random files into the folders that the WebUI has for
each kind of model, for people without weights."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch

from worker.engines.diffusers import tiny, tiny_networks
from worker.engines.diffusers.families import Family
from worker.engines.diffusers.models import Placement, load

FULL = Placement("cpu", torch.float32, torch.float32)
SHORT: Mapping[str, Family] = {"sd15": Family.SD1, "sd2": Family.SD2, "sdxl": Family.SDXL}


def write_all(folder: Path) -> list[Path]:
    """Writes every tiny file under `folder`, about 100 MB in all; returns their paths."""
    written = [
        tiny.write(folder / "Stable-diffusion" / f"{name}.safetensors", make())
        for name, make in tiny.CHECKPOINTS.items()
    ]
    written.append(tiny.write(folder / "VAE" / "tiny-vae.safetensors", tiny_networks.vae(seed=1)))
    written.append(tiny.write(folder / "ESRGAN" / "tiny-2x.safetensors", tiny_networks.upscaler()))
    for short, family in SHORT.items():
        written += _beside(folder, short, family)
    return written


def _beside(folder: Path, short: str, family: Family) -> list[Path]:
    """What fits the checkpoints of one family."""
    checkpoint = folder / "Stable-diffusion" / f"tiny-{short}.safetensors"
    model = load(checkpoint, checkpoint.name, FULL)
    written = [
        tiny.write(folder / "Lora" / f"tiny-{short}-{form}.safetensors", tiny_networks.lora(model, form))
        for form in tiny_networks.FORMS
    ]
    embedding = folder / "embeddings" / f"tiny-{short}-word.safetensors"
    controlnet = folder / "ControlNet" / f"tiny-{short}-canny.safetensors"
    hypernetwork = folder / "hypernetworks" / f"tiny-{short}.pt"
    return [
        *written,
        tiny.write(embedding, tiny_networks.embedding(family)),
        tiny.write(controlnet, tiny.controlnet(family)),
        tiny_networks.write_pickle(hypernetwork, tiny_networks.hypernetwork(family)),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Write tiny random model files into the folders of a WebUI.")
    parser.add_argument("folder", type=Path)
    for path in write_all(parser.parse_args().folder):
        print(path)
