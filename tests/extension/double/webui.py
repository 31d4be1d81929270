"""`python webui.py PORT`: the double as a process. The environment says where it is (`modules/paths.py`)."""

import json
import os
import sys
import threading
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import builtin
import gradio as gr
from canvas import MAJOR, Canvas, picture_and_mask
from modules import images, localization, paths, processing, script_callbacks, scripts, shared
from output import image_of, output, results_of
from tasks import generate_button, locked, progress

HERE = Path(__file__).resolve().parent
if shared.FORGE:
    sys.path.append(str(HERE / "forge"))
JS = "js" if MAJOR >= 4 else "_js"
SUBTABS = ("img2img", "Sketch", "Inpaint", "Inpaint sketch")
CANVASES = ("img2img_image", "img2img_sketch", "img2maskimg", "inpaint_sketch")
TITLES = ("txt2img", "img2img", "Extras", "PNG Info")


def watch_components() -> None:
    """Tell the scripts of the tab that is being made about each component, as the WebUI does."""
    base = gr.components.Component if MAJOR >= 4 else gr.components.IOComponent
    original = base.__init__

    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if scripts.scripts_current is not None:
            scripts.scripts_current.after_component(self, **kwargs)

    base.__init__ = made


def load_extensions() -> None:
    """Load the scripts of all extensions from their files."""
    from importlib.util import module_from_spec, spec_from_file_location

    scripts.classes.extend(builtin.ALL)
    for folder in paths.extensions:
        for file in sorted((folder / "scripts").glob("*.py")):
            spec = spec_from_file_location(file.stem, file)
            assert spec
            assert spec.loader
            module = module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except Exception:
                traceback.print_exc()
                continue
            found = [thing for thing in vars(module).values() if isinstance(thing, type)]
            scripts.classes.extend(kind for kind in found if issubclass(kind, scripts.Script))


def run(runner: Any, p: Any, args: Any) -> Any:
    """One run: by the selected script, or as it is."""
    runner.setup(p, args)
    done = runner.run(p, *args)
    return processing.process_images(p) if done is None else done


def said(prompt: str, negative: str, styles: Any, steps: int, width: float, height: float, batch: float) -> Any:
    """The fields that both tabs have."""
    return {
        "prompt": prompt,
        "negative_prompt": negative,
        "styles": styles,
        "steps": steps,
        "width": int(width),
        "height": int(height),
        "batch_size": int(batch),
        "n_iter": 1,
        "cfg_scale": 7.0,
    }


def txt2img(*values: Any) -> Any:
    """A click on Generate of txt2img."""
    own, hires, args = values[:7], values[7], values[8:]
    p = processing.StableDiffusionProcessingTxt2Img(
        **said(*own),
        enable_hr=hires,
        hr_scale=2.0,
        hr_upscaler="Latent",
        denoising_strength=0.7,
    )
    return run(scripts.scripts_txt2img, p, args)


def upscale(number: int, gallery: Any, generation_info: str, *values: Any) -> Any:
    """A click on ✨: the picture that is open in the gallery, enlarged by the settings of Hires. fix."""
    assert 0 <= number < len(gallery), f"Bad image index: {number}"
    fields = json.loads(generation_info)
    known = images.read_infotext(fields["infotexts"][number])
    own, args = values[:7], values[8:]
    p = processing.StableDiffusionProcessingTxt2Img(
        **{**said(*own), "batch_size": 1},
        enable_hr=True,
        hr_scale=2.0,
        hr_upscaler="Latent",
        denoising_strength=0.7,
    )
    p.txt2img_upscale, p.firstpass_image = True, image_of(gallery[number])
    runner = scripts.scripts_txt2img
    runner.setup(p, args)
    p.seed = known.get("Seed", -1)
    done = runner.run(p, *args) or processing.process_images(p)
    fields["infotexts"][number] = done.info
    return SimpleNamespace(images=done.images, js=lambda: json.dumps(fields), info=done.info)


def img2img(counts: list[int], *values: Any) -> Any:
    """A click on Generate of img2img; `counts` says how many values each canvas has."""
    mode, own, denoising, rest = values[0], values[1:8], values[8], list(values[9:])
    pictures = []
    for count in counts:
        pictures.append(rest[:count])
        rest = rest[count:]
    (base, base_mask, files), args = rest[:3], rest[3:]
    p = processing.StableDiffusionProcessingImg2Img(
        **said(*own),
        denoising_strength=denoising,
        init_images=[],
        inpainting_fill=1,
    )
    if int(mode) == 5:
        done = []
        for file in files:
            p.init_images = [images.read(file if isinstance(file, str) else file.name)] * p.batch_size
            done.append(run(scripts.scripts_img2img, p, args))
        return done[0]
    number = int(mode)
    picture, mask = (base, base_mask) if number == 4 else picture_and_mask(CANVASES[number], pictures[number])
    p.init_images, p.image_mask = [picture], mask
    return run(scripts.scripts_img2img, p, args)


def toprow(tab: str) -> list[Any]:
    """Prompts and styles, and the button."""
    prompt = gr.Textbox(label="Prompt", elem_id=f"{tab}_prompt", lines=2)
    negative = gr.Textbox(label="Negative prompt", elem_id=f"{tab}_neg_prompt")
    generate = generate_button(tab)
    names = list(shared.prompt_styles.styles)
    styles = gr.Dropdown(names, value=[], multiselect=True, label="Styles", elem_id=f"{tab}_styles")
    return [generate, prompt, negative, styles]


def sizes(tab: str) -> list[Any]:
    """Steps, width, height, batch size."""
    with gr.Row():
        return [
            gr.Slider(1, 150, step=1, label="Sampling steps", value=20, elem_id=f"{tab}_steps"),
            gr.Slider(64, 2048, step=8, label="Width", value=512, elem_id=f"{tab}_width"),
            gr.Slider(64, 2048, step=8, label="Height", value=512, elem_id=f"{tab}_height"),
            gr.Slider(1, 8, step=1, label="Batch size", value=1, elem_id=f"{tab}_batch_size"),
        ]


def submit(tab: str, inputs: list[Any], *second: str) -> dict[str, str]:
    """What the page does at a click before the server does anything: the first input gets the id of the task, the next
    one what the expression `second` says."""
    # Gradio gives the outputs to this function as well. Gradio 4 wants as many values back as there are inputs, or it
    # takes those of states for others.
    said = ", ".join([f"doubleTask('{tab}')", *second])
    return {JS: f"(...values) => [{said}, ...values.slice({1 + len(second)}, {len(inputs)})]"}


def tab_txt2img() -> dict[str, Any]:
    """The first tab."""
    scripts.scripts_current = scripts.scripts_txt2img
    scripts.scripts_txt2img.initialize_scripts(False)
    generate, *prompts = toprow("txt2img")
    with gr.Row():
        with gr.Column():
            size = sizes("txt2img")
            hires = gr.Checkbox(False, label="Hires. fix", elem_id="txt2img_hr")
            arguments = scripts.scripts_txt2img.setup_ui()
        with gr.Column():
            made = output("txt2img")
    task = gr.Textbox(visible=False)
    fields = [*prompts, *size, hires, *arguments]
    inputs = [task, *fields]
    generate.click(locked(txt2img), inputs, results_of(made), **submit("txt2img", inputs))
    inputs = [task, gr.Number(-1, visible=False, precision=0), made["gallery"], made["generation_info"], *fields]
    js = submit("txt2img", inputs, "doubleOpenPicture()")
    made["upscale"].click(locked(upscale), inputs, results_of(made), **js)
    return made


def tab_img2img() -> dict[str, Any]:
    """The second tab; its canvases are in what it returns."""
    scripts.scripts_current = scripts.scripts_img2img
    scripts.scripts_img2img.initialize_scripts(True)
    generate, *prompts = toprow("img2img")
    canvases = []
    with gr.Row():
        with gr.Column():
            with gr.Tabs(elem_id="mode_img2img"):
                for title, elem_id in zip(SUBTABS, CANVASES, strict=True):
                    with gr.TabItem(title, id=elem_id):
                        canvases.append(Canvas(elem_id))
                with gr.TabItem("Inpaint upload", id="upload"):
                    source = {"source": "upload"} if MAJOR == 3 else {"sources": ["upload"]}
                    base = gr.Image(label="base", type="pil", elem_id="img_inpaint_base", **source)
                    mask = gr.Image(label="mask", type="pil", elem_id="img_inpaint_mask", **source)
                with gr.TabItem("Batch", id="batch"):
                    files = gr.File(label="Files", file_count="multiple", elem_id="img2img_batch_upload")
            size = sizes("img2img")
            denoising = gr.Slider(0, 1, step=0.01, label="Denoising strength", value=0.75)
            task, mode = gr.Textbox(visible=False), gr.Number(0, visible=False)
            arguments = scripts.scripts_img2img.setup_ui()
        with gr.Column():
            made = output("img2img")
    counts = [len(canvas.inputs) for canvas in canvases]
    pictures = [component for canvas in canvases for component in canvas.inputs]
    inputs = [task, mode, *prompts, *size, denoising, *pictures, base, mask, files, *arguments]
    js = submit("img2img", inputs, "doubleSubTab()")
    generate.click(locked(lambda *values: img2img(counts, *values)), inputs, results_of(made), **js)
    return {**made, "canvases": canvases}


def connect_sending(tabs: list[dict[str, Any]], extras: Any) -> None:
    """Send to …: the first picture of the gallery, and the page turns to the tab."""
    canvases = tabs[1]["canvases"]
    targets = {"img2img": (canvases[0].target, 1, 0), "inpaint": (canvases[2].target, 1, 2), "extras": (extras, 2, -1)}
    for made in tabs:
        for name, (target, tab, sub) in targets.items():
            js = {JS: f"(...values) => doubleTurnTo({tab}, {sub}, values)"}
            made[name].click(lambda gallery: image_of(gallery[0]), [made["gallery"]], [target], **js)


def page() -> Any:
    """The whole page."""
    with gr.Blocks(title="Double", analytics_enabled=False) as demo, gr.Tabs(elem_id="tabs"):
        with gr.TabItem(TITLES[0], id="txt2img"):
            first = tab_txt2img()
        with gr.TabItem(TITLES[1], id="img2img"):
            second = tab_img2img()
        scripts.scripts_current = None
        with gr.TabItem(TITLES[2], id="extras"):
            extras = gr.Image(type="pil", elem_id="extras_image")
        with gr.TabItem(TITLES[3], id="png_info"):
            picture = gr.Image(type="pil", image_mode="RGBA", elem_id="pnginfo_image")
            text = gr.HTML(elem_id="pnginfo_html")
            picture.change(lambda image: (image.info if image else {}).get("parameters", ""), [picture], [text])
        connect_sending([first, second], extras)
    return demo


def like_the_api() -> None:
    """The WebUI's API calls `ui` once more for the defaults, on no page."""
    with gr.Blocks():
        for runner in (scripts.scripts_txt2img, scripts.scripts_img2img):
            for script in runner.scripts:
                script.ui(script.is_img2img)


def write_ui_config(demo: Any) -> None:
    """Store the values of all components that do not say otherwise."""
    stored = {
        f"{number}/{block.label}": str(getattr(block, "value", None))
        for number, block in demo.blocks.items()
        if getattr(block, "label", None) and not getattr(block, "do_not_save_to_config", False)
    }
    Path(paths.data_path, "ui-config.json").write_text(json.dumps(stored), encoding="utf-8")


def add_head() -> None:
    """JavaScript, translations and styles of all extensions, in the page's head."""
    folders = [HERE, *paths.extensions]
    code = [localization.localization_js(shared.opts.localization)]
    code += [file.read_text(encoding="utf-8") for folder in folders for file in sorted(folder.glob("javascript/*.js"))]
    head = "".join(f"<script>{text}</script>" for text in code)
    styles = "".join((folder / "style.css").read_text() for folder in folders if (folder / "style.css").is_file())
    original = gr.routes.templates.TemplateResponse

    def respond(*args: Any, **kwargs: Any) -> Any:
        answer = original(*args, **kwargs)
        answer.body = answer.body.replace(b"</head>", f"{head}<style>{styles}</style></head>".encode())
        answer.init_headers()
        return answer

    gr.routes.templates.TemplateResponse = respond


def main(port: int) -> None:
    """Serve until the process is ended."""
    localization.list_localizations()
    watch_components()
    scripts.scripts_txt2img, scripts.scripts_img2img = scripts.ScriptRunner(), scripts.ScriptRunner()
    load_extensions()
    shared.demo = page()
    like_the_api()
    write_ui_config(shared.demo)
    add_head()
    shared.demo.queue()
    started = {"server_name": "127.0.0.1", "server_port": port, "prevent_thread_lock": True, "show_api": False}
    app, *_ = shared.demo.launch(quiet=True, **started)

    def state() -> dict[str, Any]:
        return {"painted_here": shared.painted_here, "locked_seconds": shared.locked_seconds}

    app.add_api_route("/double/state", state, methods=["GET"])
    app.add_api_route("/internal/progress", progress, methods=["POST"])
    script_callbacks.call("app_started", shared.demo, app)
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    main(int(sys.argv[1]))
