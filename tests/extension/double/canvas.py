"""Picture components: Gradio 3 paints in its own, Forge on Gradio 4 has a canvas of two hidden texts."""

import base64
from io import BytesIO
from typing import Any

import gradio as gr
from PIL import Image, ImageChops

if hasattr(gr, "component_meta"):
    # Gradio 4 would write a file of types beside this one.
    gr.component_meta.create_or_modify_pyi = lambda *_: None
MAJOR = int(gr.__version__.partition(".")[0])
TOOLS = {"img2img_sketch": "color-sketch", "img2maskimg": "sketch", "inpaint_sketch": "color-sketch"}
_START = "data:image/png;base64,"


class LogicalImage(gr.Textbox):
    """A picture as a data URI in a text that nobody sees."""

    def preprocess(self, payload: Any) -> Any:
        """The picture, None for no picture."""
        if not isinstance(payload, str) or not payload.startswith(_START):
            return None
        return Image.open(BytesIO(base64.b64decode(payload[len(_START) :])), formats=["png"]).convert("RGBA")

    def postprocess(self, value: Any) -> Any:
        """The picture as text."""
        if value is None:
            return None
        buffer = BytesIO()
        value.convert("RGBA").save(buffer, "PNG")
        return _START + base64.b64encode(buffer.getvalue()).decode()

    def get_block_name(self) -> str:
        """The page draws it as any other text."""
        return "textbox"


class Canvas:
    """The picture of one sub-tab. `inputs` are its components, `target` is the one that gets a picture sent to it."""

    def __init__(self, elem_id: str) -> None:
        if MAJOR == 3:
            options = {"tool": TOOLS.get(elem_id, "editor"), "source": "upload", "image_mode": "RGBA"}
            self.target = gr.Image(label=elem_id, type="pil", elem_id=elem_id, **options)
            # What a sketch is painted on: the page sends only the painted picture.
            self.inputs = [self.target]
            if elem_id == "inpaint_sketch":
                self.inputs.append(gr.State(None))
                self.target.change(_unpainted, self.inputs, [self.inputs[1]])
            return
        gr.HTML("<div>canvas</div>", elem_id=elem_id)
        hidden = {"label": "canvas", "visible": True}
        foreground = LogicalImage(elem_id=f"{elem_id}_fg", elem_classes=["logical_image_foreground"], **hidden)
        self.target = LogicalImage(elem_id=f"{elem_id}_bg", elem_classes=["logical_image_background"], **hidden)
        self.inputs = [self.target, foreground]


def _unpainted(picture: Any, before: Any) -> Any:
    """The picture without what is painted on it: the first one of its size."""
    return before if picture is not None and before is not None and before.size == picture.size else picture


def picture_and_mask(elem_id: str, values: list[Any]) -> tuple[Any, Any]:
    """What a click takes from a canvas."""
    first, painted = values[0], values[1] if len(values) > 1 else None
    if MAJOR == 3:
        if isinstance(first, dict):
            return first["image"], first["mask"].convert("L").point(lambda value: 255 if value > 128 else 0)
        if elem_id == "inpaint_sketch":
            difference = ImageChops.difference(first.convert("RGB"), painted.convert("RGB")).convert("L")
            return first, difference.point(lambda value: 255 if value else 0)
        return first, None
    if painted is None or elem_id == "img2img_image":
        return first, None
    mask = painted.getchannel("A").point(lambda value: 255 if value > 128 else 0)
    if elem_id == "img2maskimg":
        return first, mask
    whole = Image.alpha_composite(first, painted)
    return whole, mask if elem_id == "inpaint_sketch" else None
