"""The right side of a tab: the gallery, and what is done with its pictures."""

import json
from pathlib import Path
from typing import Any

import gradio as gr
from canvas import MAJOR
from modules import images, shared


class Saved:
    """What saving knows of a picture: the generation info, field by field."""

    def __init__(self, fields: dict[str, Any]) -> None:
        vars(self).update(fields)


def image_of(shown: Any) -> Any:
    """A picture of the gallery: a file in Gradio 3, a pair in Gradio 4."""
    return images.read(shown["name"]) if isinstance(shown, dict) else shown[0]


def save(generation_info: str, gallery: Any, as_zip: bool) -> Any:
    """Save all pictures, as Save and Zip do."""
    from zipfile import ZipFile

    fields = json.loads(generation_info)
    p: Any = Saved(fields)
    saved = []
    for number, shown in enumerate(gallery):
        p.batch_index = number - 1
        info = fields["infotexts"][number]
        images.read_infotext(info)
        folder, extension = shared.opts.outdir_save, shared.opts.samples_format
        saved.append(images.save_image(image_of(shown), folder, extension, info, p))
    if as_zip:
        archive = f"{shared.opts.outdir_save}/all.zip"
        with ZipFile(archive, "w") as target:
            for path in saved:
                target.write(path, Path(path).name)
        saved.append(archive)
    return gr.update(value=saved, visible=True), f"<p>Saved: {Path(saved[0]).name}</p>"


def output(tab: str) -> dict[str, Any]:
    """The right side: gallery, buttons, texts."""
    options = {"type": "pil", "interactive": False} if MAJOR >= 4 else {}
    made = {"gallery": gr.Gallery(label="Output", elem_id=f"{tab}_gallery", columns=4, preview=True, **options)}
    with gr.Row():
        for name in ("save", "save_zip"):
            made[name] = gr.Button(name, elem_id=f"{name}_{tab}")
        for name in ("img2img", "inpaint", "extras"):
            made[name] = gr.Button(f"send to {name}", elem_id=f"{tab}_send_to_{name}")
        if tab == "txt2img":
            made["upscale"] = gr.Button("✨", elem_id=f"{tab}_upscale")
    made["files"] = gr.File(None, file_count="multiple", interactive=False, visible=False)
    made["info"] = gr.HTML(elem_id=f"html_info_{tab}")
    made["log"] = gr.HTML(elem_id=f"html_log_{tab}")
    made["generation_info"] = gr.Textbox(visible=False, elem_id=f"generation_info_{tab}")
    for name, as_zip in (("save", False), ("save_zip", True)):
        state = gr.State(as_zip)
        made[name].click(save, [made["generation_info"], made["gallery"], state], [made["files"], made["log"]])
    return made


def results_of(made: dict[str, Any]) -> list[Any]:
    """The outputs of a click on Generate."""
    return [made[name] for name in ("gallery", "generation_info", "info", "log")]
