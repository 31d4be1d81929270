"""Options, styles and state."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
from modules.paths import data_path

FORGE = gr.__version__.startswith("4.")
"""Whether this double does as Forge does, or as AUTOMATIC1111."""
DEFAULTS: dict[str, Any] = {
    "CLIP_stop_at_last_layers": 1,
    "eta_noise_seed_delta": 0,
    "img2img_background_color": "#ffffff",
    "localization": "None",
    "outdir_img2img_samples": str(Path(data_path) / "outputs" / "img2img-images"),
    "outdir_samples": "",
    "outdir_save": str(Path(data_path) / "log" / "images"),
    "outdir_txt2img_samples": str(Path(data_path) / "outputs" / "txt2img-images"),
    "randn_source": "GPU",
    "samples_format": "png",
    "samples_save": True,
    # Nobody has chosen one yet.
    "sd_model_checkpoint": None,
    "sd_vae": "Automatic",
}


class Options:
    """Values as attributes: `data` has those that were set, `data_labels` the default of each."""

    def __init__(self) -> None:
        self.data_labels = {name: SimpleNamespace(default=value) for name, value in DEFAULTS.items()}
        self.data: dict[str, Any] = {}
        for said in filter(None, os.environ.get("DOUBLE_OPTIONS", "").split(";")):
            name, _, value = said.partition("=")
            self.data[name] = int(value) if value.isdigit() else value

    def __getattr__(self, name: str) -> Any:
        if name in self.data:
            return self.data[name]
        if name in self.data_labels:
            return self.data_labels[name].default
        raise AttributeError(name)


class Styles:
    """The styles of `styles.csv`: a `{prompt}` in a style is where the prompt goes."""

    def __init__(self) -> None:
        self.styles = {"Oil": ("oil painting of {prompt}, thick strokes", "photo")}

    def apply_styles_to_prompt(self, prompt: str, styles: list[str]) -> str:
        """The prompt with the texts of the styles."""
        return self._applied(prompt, [self.styles[name][0] for name in styles if name in self.styles])

    def apply_negative_styles_to_prompt(self, prompt: str, styles: list[str]) -> str:
        """The same for a negative prompt."""
        return self._applied(prompt, [self.styles[name][1] for name in styles if name in self.styles])

    @staticmethod
    def _applied(prompt: str, texts: list[str]) -> str:
        for text in texts:
            prompt = text.replace("{prompt}", prompt) if "{prompt}" in text else ", ".join(filter(None, (prompt, text)))
        return prompt


opts = Options()
prompt_styles = Styles()
cmd_opts = SimpleNamespace(ckpt_dir=None, lora_dir=None)
demo: Any = None
painted_here: list[str] = []
"""The prompts that this machine painted, so that a test sees that it did, or did not."""
locked_seconds: list[float] = []
"""How long each click held the lock that all pictures of this machine wait for."""
