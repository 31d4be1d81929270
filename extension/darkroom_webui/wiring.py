"""Connecting the components of a panel, and those of the WebUI around it, with `events`."""

from functools import partial
from typing import Any

from darkroom_webui.events import Events
from darkroom_webui.gradio_ways import on
from darkroom_webui.panel import Panel

PICTURES = ("img2img_image", "img2img_sketch", "img2maskimg", "inpaint_sketch", "img_inpaint_base")
"""The picture of each sub-tab of img2img, in the order of the sub-tabs."""
_BACKGROUND = "logical_image_background"
"""The class of the component that holds the picture in Forge, where the elem_id is that of the canvas around it."""


class Outside:
    """The components of the WebUI on one tab that the panel needs, found while the WebUI makes them."""

    def __init__(self, tab: str) -> None:
        self._wanted = {
            f"{tab}_gallery": "gallery",
            f"generation_info_{tab}": "generation_info",
            f"html_info_{tab}": "info",
            f"html_log_{tab}": "log",
            f"{tab}_prompt": "prompt",
            f"{tab}_generate": "generate",
        }
        self._img2img = tab == "img2img"
        self._canvas: str | None = None
        self.found: dict[str, Any] = {}

    def note(self, component: Any, elem_id: "str | None") -> None:
        """Remember a component if it is one of them."""
        if elem_id in self._wanted:
            self.found[self._wanted[elem_id]] = component
        elif self._img2img and elem_id in PICTURES:
            self.found[elem_id] = component
            self._canvas = elem_id
        elif self._canvas and _BACKGROUND in (getattr(component, "elem_classes", None) or ()):
            self.found[self._canvas], self._canvas = component, None

    @property
    def complete(self) -> bool:
        """Whether all that every WebUI has were found."""
        return set(self._wanted.values()) <= set(self.found)


def connect(panel: Panel, events: Events, outside: "dict[str, Any]") -> None:
    """Connect everything. Called once, inside the page's Blocks."""
    _choices(panel, events, outside)
    _jobs(panel, events, outside)
    _models(panel, events)
    account = [panel["address"], panel["key"]]
    connected = on(panel["connect"].click, events.connect, account, [panel["key"], panel["message"]])
    chosen = [panel["checkpoint"], panel["vae"], panel["endpoint"]]
    states = [panel["job"], panel["search_state"], panel["later_state"]]
    # The message stays: it says whether the stage took the key.
    on(connected.then, lambda *values: events.load(*values)[:-1], chosen, [*chosen, *states])
    on(panel["forget"].click, events.forget, [], [panel["message"]])
    if panel.tab == "img2img":
        _interrogation(panel, events, outside)


def _choices(panel: Panel, events: Events, outside: "dict[str, Any]") -> None:
    chosen = [panel["checkpoint"], panel["vae"], panel["endpoint"]]
    states = [panel["job"], panel["search_state"], panel["later_state"], panel["message"]]
    on(panel["load"].click, events.load, chosen, [*chosen, *states])
    for name in ("checkpoint", "vae", "endpoint", "network"):
        refresh = getattr(events, f"refresh_{name}")
        on(panel[f"refresh_{name}"].click, refresh, [panel[name]], [panel[name], panel["message"]], quiet=False)
    on(panel["checkpoint"].change, events.choose_checkpoint, [panel["checkpoint"]], [outside["generate"]])
    on(panel["endpoint"].input, events.choose_endpoint, [panel["endpoint"]], [panel["endpoint"], panel["message"]])
    prompt = outside["prompt"]
    on(panel["add_network"].click, events.add_network, [panel["network"], prompt], [prompt])


def _jobs(panel: Panel, events: Events, outside: "dict[str, Any]") -> None:
    search, later = panel["search_state"], panel["later_state"]
    states = [panel["job"], search, later, panel["message"]]
    fields = [panel[name] for name in ("types", "statuses", "of_endpoint", "of_checkpoint", "since", "until", "words")]
    on(panel["refresh_job"].click, events.newest, [search], states, quiet=False)
    on(panel["every"].input, events.show_every, [panel["every"], search], states)
    on(panel["earlier"].click, events.earlier, [search], states)
    on(panel["later"].click, events.later, [search, later], states)
    on(panel["search"].click, events.search, [panel["every"], *fields], states, quiet=False)
    on(panel["clear"].click, events.clear, [panel["every"]], [*fields, *states])
    output = [outside[name] for name in ("gallery", "generation_info", "info", "log", "prompt")]
    session = panel["session"]
    on(panel["job"].input, events.choose_job, [panel["job"], session], output, quiet=False)
    argument = f"() => darkroom.argument('{panel.tab}')"
    on(panel["show"].click, events.show, [panel["argument"], session], output, js=argument)


def _models(panel: Panel, events: Events) -> None:
    outputs = [panel["models"], panel["command"], panel["message"]]
    on(panel["compare"].click, events.compare, [], outputs, quiet=False)
    on(panel["models"].change, events.choose_models, [panel["models"]], [panel["command"]])
    on(panel["upload"].click, events.upload, [panel["models"], panel["session"]], [panel["message"]])


def _interrogation(panel: Panel, events: Events, outside: "dict[str, Any]") -> None:
    pictures = [outside[name] for name in PICTURES if name in outside]
    js = "(...values) => darkroom.withSubTab(values)"
    for kind in ("interrogate_clip", "interrogate_deepbooru"):
        ask = partial(events.interrogate, kind)
        on(panel[kind].click, ask, [panel["session"], panel["argument"], *pictures], [panel["message"]], js=js)
