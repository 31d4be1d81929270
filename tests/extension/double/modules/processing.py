"""What a click makes of the page, and what painting on this machine returns."""

import json
from typing import Any

from modules import shared
from PIL import Image


class StableDiffusionProcessing:
    """The settings of one click, as attributes."""

    def __init__(self, **settings: Any) -> None:
        fixed = {"sampler_name": "DPM++ 2M", "scheduler": "Automatic", "s_tmax": float("inf"), "comments": {}}
        for name, value in {**fixed, "subseed": -1, "subseed_strength": 0, "override_settings": {}, **settings}.items():
            setattr(self, name, value)


class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    """Of txt2img."""


class StableDiffusionProcessingImg2Img(StableDiffusionProcessing):
    """Of img2img; it moves the mask away, as the WebUI's does."""

    def __init__(self, mask: Any = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.image_mask, self.mask = mask, None


class Processed:
    """What a run returns."""

    def __init__(self, p: Any, images: list[Any], seed: int = -1, info: str = "", subseed: Any = None) -> None:
        self.images = images
        self.info = info
        self.infotexts = [info] * len(images)
        self._fields = {"prompt": p.prompt, "seed": int(seed), "width": p.width, "height": p.height}

    def js(self) -> str:
        """The generation info."""
        return json.dumps({**self._fields, "infotexts": self.infotexts, "index_of_first_image": 0})


def process_images(p: Any) -> Processed:
    """Paint on this machine: a grey picture."""
    shared.painted_here.append(p.prompt)
    image = Image.new("RGB", (int(p.width), int(p.height)), "grey")
    image.info["parameters"] = f"{p.prompt}\nSteps: {p.steps}, Seed: 1"
    return Processed(p, [image], 1, f"{p.prompt}\nSteps: {p.steps}, Seed: 1")
