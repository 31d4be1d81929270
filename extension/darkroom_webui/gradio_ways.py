"""What Gradio 3 and 4 say differently."""

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

MAJOR = int(gr.__version__.partition(".")[0])


def on(
    event: Any,
    fn: "Callable[..., Any] | None",
    inputs: "Sequence[Any]" = (),
    outputs: "Sequence[Any]" = (),
    js: "str | None" = None,
    quiet: bool = True,
) -> Any:
    """Call `fn` when `event` (such as `button.click`) happens; `js` makes the inputs from the components' values.

    Not in Gradio's queue: there it would wait behind pictures that are being painted.
    """
    options: dict[str, Any] = {"queue": False, "api_name": False}
    if quiet:
        options["show_progress"] = "hidden"
    if js:
        options["js" if MAJOR >= 4 else "_js"] = js
    return event(fn=fn, inputs=list(inputs), outputs=list(outputs), **options)


def gallery_of(files: "Sequence[str]") -> Any:
    """The update that fills a gallery with these pictures and opens the first one.

    A click on Generate empties the gallery. From there Gradio 4 opens no picture by itself, and without an open one the
    WebUI's ✨ enlarges nothing. Gradio 3 opens the first one anyway, and cannot be told to.
    """
    opened = {"selected_index": 0} if MAJOR >= 4 and files else {}
    return gr.update(value=list(files), **opened)
