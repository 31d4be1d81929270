"""The WebUI loads this file: the panel as a script that is always visible."""

import sys
from pathlib import Path

_EXTENSION = str(Path(__file__).resolve().parent.parent)
if _EXTENSION not in sys.path:
    sys.path.append(_EXTENSION)

from darkroom_webui.carried import find_client  # noqa: E402 - only now it can be found

find_client()

from functools import partial  # noqa: E402
from typing import Any  # noqa: E402

from modules import scripts  # noqa: E402

from darkroom_webui import TITLE  # noqa: E402
from darkroom_webui.events import Events  # noqa: E402
from darkroom_webui.panel import build  # noqa: E402
from darkroom_webui.service import service  # noqa: E402
from darkroom_webui.webui import options, page, runner, saving  # noqa: E402
from darkroom_webui.wiring import Outside, connect  # noqa: E402


class DarkroomPanel(scripts.Script):  # type: ignore[misc, unused-ignore]
    """One for each tab. The WebUI makes it anew when its page is reloaded."""

    def __init__(self) -> None:
        self._panel: Any = None
        self._outside: Any = None

    def title(self) -> str:
        """What the WebUI calls this script."""
        return TITLE

    def show(self, is_img2img: bool) -> Any:
        """Always, on both tabs."""
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> "list[Any]":
        """The panel's components that come with each click. The WebUI's API calls this again, to learn the defaults;
        those components are connected to nothing."""
        page.add_languages()
        panel = build("img2img" if is_img2img else "txt2img")
        if self._panel is None:
            self._panel = panel
            runner.run_first(runner.runner_of(is_img2img), partial(service().take, self))
        return panel.arguments

    def after_component(self, component: Any, **kwargs: Any) -> None:
        """Called for each component that the WebUI makes. The panel is connected as soon as all that it needs are
        there, which is while the page is still being made."""
        if self._outside is None:
            self._outside = Outside("img2img" if self.is_img2img else "txt2img")
        if self._outside.complete:
            return
        self._outside.note(component, kwargs.get("elem_id") or getattr(component, "elem_id", None))
        if self._panel is not None and self._outside.complete:
            connect(self._panel, Events(self._panel, service()), self._outside.found)


options.name_no_checkpoint()
page.add_route(service().lines)
saving.keep_bytes(lambda: [options.results_folder(False), options.results_folder(True)])
