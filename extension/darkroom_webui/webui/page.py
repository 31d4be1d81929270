"""The page around the panel: its routes, its localisation, and its texts as HTML."""

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from darkroom_webui.carried import EXTENSION

ROUTE = "/darkroom/tickets"
_SAME = {"zh-Hans": ("zh_CN", "zh-CN", "zh_Hans", "zh-Hans (Stable)"), "ja": ("ja_JP", "ja-JP")}
"""What other extensions call the same languages."""


def add_route(tickets: "Callable[[str, list[str]], list[dict[str, Any]]]") -> None:
    """Serve what `tickets` returns for a browser and the jobs that it still remembers, once the WebUI has started."""
    from modules import script_callbacks

    def started(_: Any, app: Any) -> None:
        def answer(session: str = "", jobs: str = "") -> "list[dict[str, Any]]":
            return tickets(session, [job for job in jobs.split(",") if job])

        app.add_api_route(ROUTE, answer, methods=["GET"], include_in_schema=False)

    script_callbacks.on_app_started(started)


def add_languages() -> None:
    """Translate also where the WebUI knows a language by the name of another extension's file."""
    from modules import localization

    known = getattr(localization, "localizations", {})
    for language, others in _SAME.items():
        path = str(EXTENSION / "localizations" / f"{language}.json")
        for other in others:
            paths = known.get(other)
            # In older WebUIs this is one path, and cannot take another.
            if isinstance(paths, list) and path not in paths and Path(path).is_file():
                paths.append(path)


def text(words: str) -> str:
    """Words as the WebUI shows its own below the gallery."""
    return f"<p>{_lines(words)}</p>"


def error(words: str) -> str:
    """Words as the WebUI shows its own errors below the gallery."""
    return f"<div class='error'>{_lines(words)}</div>"


def _lines(words: str) -> str:
    return "<br>\n".join(html.escape(line) for line in words.split("\n"))
