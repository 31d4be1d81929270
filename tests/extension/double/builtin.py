"""Scripts that stand for the WebUI's own and for other extensions'."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import gradio as gr
from modules import scripts


class Seed(scripts.Script):
    """The WebUI's own: what it says is in `p`, as text."""

    setup_for_ui_only = True

    def title(self) -> str:
        return "Seed"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        tab = "img2img" if is_img2img else "txt2img"
        return [gr.Textbox("-1", label="Seed", elem_id=f"{tab}_seed")]

    def setup(self, p: Any, *args: Any) -> None:
        p.seed = args[0]


class ResizeMode(Enum):
    """An argument that is no JSON."""

    CROP = "Crop and Resize"


@dataclass
class Unit:
    """An object with a picture in it."""

    enabled: bool
    image: Any
    module: str = "none"
    model: str = "None"
    resize_mode: ResizeMode = ResizeMode.CROP


class ControlNet(scripts.Script):
    """An extension whose arguments are objects with pictures."""

    def title(self) -> str:
        return "ControlNet"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        state = gr.State(Unit(False, None))
        enabled = gr.Checkbox(False, label="Enable unit", elem_id=self.elem_id("enable"))
        image = gr.Image(label="Unit picture", type="numpy", elem_id=self.elem_id("image"))
        arguments = {"fn": lambda on, picture: Unit(bool(on), picture), "inputs": [enabled, image], "outputs": [state]}
        enabled.change(**arguments)
        image.change(**arguments)
        return [state]


class Matrix(scripts.Script):
    """A script to select."""

    def title(self) -> str:
        return "Prompt matrix"

    def ui(self, is_img2img: bool) -> list[Any]:
        return [gr.Checkbox(True, label="Put at start", elem_id=self.elem_id("start"))]

    def run(self, p: Any, *args: Any) -> Any:
        from modules.processing import process_images

        return process_images(p)


ALL = (Seed, ControlNet, Matrix)
