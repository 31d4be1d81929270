"""Scripts and their runners, one for each tab."""

import re
import traceback
from typing import Any

import gradio as gr

AlwaysVisible = object()


class Script:
    """What scripts derive from."""

    filename: str = ""
    args_from: Any = None
    args_to: Any = None
    alwayson = False
    is_txt2img = False
    is_img2img = False
    setup_for_ui_only = False
    controls: Any = None

    def title(self) -> str:
        """Its name in the list of scripts."""
        raise NotImplementedError

    def show(self, is_img2img: bool) -> Any:
        """True, False, or AlwaysVisible."""
        return True

    def ui(self, is_img2img: bool) -> Any:
        """Make the components whose values it gets."""

    def run(self, p: Any, *args: Any) -> Any:
        """Called when it is selected."""

    def setup(self, p: Any, *args: Any) -> None:
        """Called when `p` is ready."""

    def after_component(self, component: Any, **kwargs: Any) -> None:
        """Called for each component of the page."""

    def elem_id(self, item: str) -> str:
        """An elem_id for a component."""
        tab = "img2img" if self.is_img2img else "txt2img"
        return f"script_{tab}_{re.sub(r'[^a-z_0-9]', '', self.title().lower().replace(' ', '_'))}_{item}"


classes: list[type[Script]] = []


class ScriptRunner:
    """The scripts of a tab. All arguments are one list: first the number of the selected script."""

    def __init__(self) -> None:
        self.scripts: list[Any] = []
        self.selectable_scripts: list[Any] = []
        self.alwayson_scripts: list[Any] = []
        self.inputs: list[Any] = [None]

    def initialize_scripts(self, is_img2img: bool) -> None:
        """Make the scripts anew."""
        for made in (self.scripts, self.selectable_scripts, self.alwayson_scripts):
            made.clear()
        for kind in classes:
            script = kind()
            script.is_txt2img, script.is_img2img = not is_img2img, is_img2img
            visible = script.show(is_img2img)
            script.alwayson = visible is AlwaysVisible
            if visible:
                self.scripts.append(script)
                (self.alwayson_scripts if script.alwayson else self.selectable_scripts).append(script)

    def _make(self, script: Any) -> None:
        script.args_from = script.args_to = len(self.inputs)
        try:
            controls = script.ui(script.is_img2img)
        except Exception:
            traceback.print_exc()
            return
        if controls:
            script.controls = controls
            self.inputs += controls
            script.args_to = len(self.inputs)

    def setup_ui(self) -> list[Any]:
        """Make the components of all scripts; returns those whose values are arguments."""
        self.inputs = [None]
        for script in self.alwayson_scripts:
            with gr.Group():
                self._make(script)
        titles = ["None", *(script.title() for script in self.selectable_scripts)]
        tab = "img2img" if self.alwayson_scripts[0].is_img2img else "txt2img"
        self.inputs[0] = gr.Dropdown(titles, value="None", type="index", label="Script", elem_id=f"{tab}_script_list")
        for script in self.selectable_scripts:
            with gr.Group():
                self._make(script)
        return self.inputs

    def setup(self, p: Any, args: Any) -> None:
        """What scripts of the WebUI itself do with `p` before it is run."""
        for script in self.alwayson_scripts:
            script.setup(p, *args[script.args_from : script.args_to])

    def run(self, p: Any, *args: Any) -> Any:
        """Run the selected script; None when there is none."""
        if not args[0]:
            return None
        script = self.selectable_scripts[args[0] - 1]
        return script.run(p, *args[script.args_from : script.args_to])

    def after_component(self, component: Any, **kwargs: Any) -> None:
        """Tell all scripts. An error is printed and stops nothing."""
        for script in self.scripts:
            try:
                script.after_component(component, **kwargs)
            except Exception:
                traceback.print_exc()


scripts_txt2img: Any = None
scripts_img2img: Any = None
scripts_current: Any = None
