"""The components of the panel on one tab. What happens when they are used is in `events`."""

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from darkroom_webui import TITLE
from darkroom_webui.body import AUTOMATIC, FROM_SETTINGS
from darkroom_webui.history import STATUSES, TYPES
from darkroom_webui.shelf import OFF

REFRESH = "\U0001f504"
VAE_CHOICES = (FROM_SETTINGS, "Automatic", "None")


@dataclass
class Panel:
    """The components of one tab by their names, and those of the WebUI that the panel reads or changes."""

    tab: str
    parts: "dict[str, Any]" = field(default_factory=dict)
    outside: "dict[str, Any]" = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.parts[name]

    def id(self, name: str) -> str:
        """The elem_id of a component."""
        return f"{self.tab}_darkroom_{name}"

    def keep(self, name: str, component: Any) -> Any:
        """Remember a component of the panel; returns it. The WebUI must not store its value in `ui-config.json`."""
        component.do_not_save_to_config = True
        self.parts[name] = component
        return component

    @property
    def arguments(self) -> "list[Any]":
        """What the script gets with each click on Generate."""
        return [self[name] for name in ("checkpoint", "vae", "endpoint", "session")]


def build(tab: str) -> Panel:
    """Make the components."""
    panel = Panel(tab)
    with gr.Accordion(TITLE, open=False, elem_id=panel.id("panel"), elem_classes=["darkroom"]) as accordion:
        panel.keep("accordion", accordion)
        panel.keep("message", gr.HTML(elem_id=panel.id("message")))
        _choice(panel, "checkpoint", "Stable Diffusion Checkpoint Used on Cloud", [OFF])
        _choice(panel, "vae", "SD VAE Used on Cloud", list(VAE_CHOICES))
        _choice(panel, "endpoint", "Select Cloud SageMaker Endpoint", [AUTOMATIC])
        if tab == "img2img":
            with gr.Row():
                _button(panel, "interrogate_clip", "Interrogate CLIP on cloud")
                _button(panel, "interrogate_deepbooru", "Interrogate DeepBooru on cloud")
        panel.keep("tickets", gr.HTML("<div class='darkroom-box'></div>", elem_id=panel.id("tickets")))
        _jobs(panel)
        _networks(panel)
        _models(panel)
        _account(panel)
        _hidden(panel)
    return panel


def _choice(panel: Panel, name: str, label: str, choices: "list[str]") -> None:
    with gr.Row(elem_classes=["darkroom-choice"]):
        panel.keep(name, gr.Dropdown(choices, value=choices[0], label=label, elem_id=panel.id(name)))
        _tool(panel, f"refresh_{name}")


def _tool(panel: Panel, name: str) -> None:
    classes = ["tool", "darkroom-tool"]
    panel.keep(name, gr.Button(REFRESH, elem_id=panel.id(name), elem_classes=classes, size="sm", scale=0, min_width=40))


def _button(panel: Panel, name: str, label: str) -> None:
    panel.keep(name, gr.Button(label, elem_id=panel.id(name), size="sm"))


def _text(panel: Panel, name: str, label: str, **options: Any) -> None:
    panel.keep(name, gr.Textbox(label=label, elem_id=panel.id(name), value="", **options))


def _jobs(panel: Panel) -> None:
    with gr.Row(elem_classes=["darkroom-choice"]):
        label = "Inference Job: Time-Type-Status-UUID"
        panel.keep("job", gr.Dropdown([], value=None, label=label, elem_id=panel.id("job")))
        _tool(panel, "refresh_job")
    with gr.Row():
        panel.keep("every", gr.Checkbox(False, label="Show All", elem_id=panel.id("every")))
        _button(panel, "earlier", "Newer")
        _button(panel, "later", "Older")
    with gr.Accordion("Advanced Inference Job filter", open=False, elem_id=panel.id("filter")):
        panel.keep("types", gr.CheckboxGroup(list(TYPES), value=[], label="Type", elem_id=panel.id("types")))
        panel.keep("statuses", gr.CheckboxGroup(list(STATUSES), value=[], label="Status", elem_id=panel.id("statuses")))
        with gr.Row():
            _text(panel, "of_endpoint", "Endpoint")
            _text(panel, "of_checkpoint", "Checkpoint")
        with gr.Row():
            _text(panel, "since", "From (such as 2026-11-27)")
            _text(panel, "until", "To (such as 2026-11-27)")
        _text(panel, "words", "Words of the prompt")
        with gr.Row():
            _button(panel, "search", "Apply filter")
            _button(panel, "clear", "Clear filter")


def _networks(panel: Panel) -> None:
    with gr.Accordion("Extra networks on the cloud", open=False, elem_id=panel.id("networks_box")):
        with gr.Row(elem_classes=["darkroom-choice"]):
            panel.keep("network", gr.Dropdown([], value=None, label="Extra network", elem_id=panel.id("network")))
            _tool(panel, "refresh_network")
        _button(panel, "add_network", "Add to prompt")


def _models(panel: Panel) -> None:
    with gr.Accordion("Models on this machine only", open=False, elem_id=panel.id("models_box")):
        _button(panel, "compare", "Compare with the cloud")
        label = "Models to upload"
        panel.keep("models", gr.Dropdown([], value=[], multiselect=True, label=label, elem_id=panel.id("models")))
        panel.keep("command", gr.HTML(elem_id=panel.id("command")))
        _button(panel, "upload", "Upload to the cloud")


def _account(panel: Panel) -> None:
    with gr.Accordion("Address and key", open=False, elem_id=panel.id("account_box")):
        # Not the stored ones: what a component holds stands in `/config`, for everybody.
        _text(panel, "address", "Address of the stage", placeholder="https://….execute-api.eu-west-1.amazonaws.com/v1")
        _text(panel, "key", "Key", type="password")
        with gr.Row():
            _button(panel, "connect", "Connect")
            _button(panel, "forget", "Forget address and key")


def _hidden(panel: Panel) -> None:
    """What the page's JavaScript fills and presses."""
    with gr.Row(elem_classes=["darkroom-hidden"]):
        _text(panel, "session", "session")
        _text(panel, "argument", "argument")
        _button(panel, "load", "load")
        _button(panel, "show", "show")
        # The lists that this browser sees, and where it is in them.
        panel.keep("search_state", gr.State({}))
        panel.keep("later_state", gr.State(None))
