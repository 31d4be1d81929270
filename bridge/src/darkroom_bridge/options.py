"""The WebUI's settings, kept for each key: what clients POST to `options` and get back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from darkroom_bridge.facts import table
from darkroom_bridge.problems import Problem
from darkroom_client import private

CHECKPOINT, VAE = "sd_model_checkpoint", "sd_vae"
MAX_BYTES = 256 * 1024
"""Of the settings of one key, as JSON."""
MAX_FILES = 64
"""Keys whose settings are kept; the one that was changed longest ago makes room."""


class Options:
    """The settings of one key. `file` is where they are kept, None: in memory alone."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._said: dict[str, Any] = _read(file) if file else {}

    def all(self) -> dict[str, Any]:
        """Every setting of WebUI 1.10 with its default, and over them what clients said."""
        return {**table("options")["defaults"], **self._said}

    def said(self, name: str) -> Any:
        """What clients said of a setting, None where they said nothing."""
        return self._said.get(name)

    def change(self, changes: Mapping[str, Any]) -> None:
        """Keep what a client said; it may block. Raises Problem when it is too much to keep."""
        said = {**self._said, **changes}
        text = json.dumps(said)
        if len(text) > MAX_BYTES:
            raise Problem(422, f"The bridge keeps at most {MAX_BYTES} bytes of settings.", "too_large")
        if self._file:
            _write(self._file, text)
        self._said = said

    def for_pictures(self) -> dict[str, Any]:
        """The settings that change pictures, where they differ from the WebUI's defaults; the checkpoint is not among
        them."""
        return self._changed(name for name in table("options")["paints"] if name != CHECKPOINT)

    def for_descriptions(self) -> dict[str, Any]:
        """The same for those that change descriptions of pictures."""
        return self._changed(table("options")["describes"])

    def _changed(self, names: Any) -> dict[str, Any]:
        defaults = table("options")["defaults"]
        said = {name: self._said[name] for name in names if self._said.get(name) is not None}
        return {name: value for name, value in said.items() if value != defaults.get(name)}


def file_of(folder: Path | None, fingerprint: str) -> Path | None:
    """Where the settings of the key with this fingerprint are kept."""
    return folder / f"options-{fingerprint}.json" if folder else None


def _read(file: Path) -> dict[str, Any]:
    """What is kept; nothing when the file is not there or was damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, text: str) -> None:
    private.write(file, text)
    kept = sorted(file.parent.glob("options-*.json"), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in kept[MAX_FILES:]:
        old.unlink(missing_ok=True)
