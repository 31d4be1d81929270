"""A click on Generate is a task. Until the page hears that it has ended, Interrupt lies over Generate."""

import html
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import gradio as gr
from modules import shared

_lock = threading.Lock()
_ended: list[str] = []


def generate_button(tab: str) -> Any:
    """Generate, and the button that lies over it while a task of this tab goes on (`javascript/page.js`)."""
    with gr.Group(elem_id=f"{tab}_generate_box"):
        gr.Button("Interrupt", elem_id=f"{tab}_interrupt")
        return gr.Button("Generate", elem_id=f"{tab}_generate", variant="primary")


def locked(paint: Callable[..., Any]) -> Callable[..., Any]:
    """One task at a time, and errors below the gallery, as in the WebUI. The first value is the task's id."""

    def call(task: str, *args: Any) -> list[Any]:
        with _lock:
            started = time.monotonic()
            try:
                done = paint(*args)
                return [done.images, done.js(), f"<p>{html.escape(done.info)}</p>", ""]
            except Exception as error:
                traceback.print_exc()
                text = html.escape(f"{type(error).__name__}: {error}")
                return [[], "", "", f"<div class='error'>{text}</div>"]
            finally:
                shared.locked_seconds.append(time.monotonic() - started)
                _ended.append(task)

    return call


def progress(asked: dict[str, Any]) -> dict[str, bool]:
    """How a task stands, as `/internal/progress` of the WebUI says it."""
    return {"completed": asked["id_task"] in _ended}
