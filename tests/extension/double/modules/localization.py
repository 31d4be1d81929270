"""Translations: JSON files of extensions, by the names of the files."""

import json
from pathlib import Path

from modules.paths import extensions

localizations: dict[str, list[str]] = {}


def list_localizations() -> None:
    """Find them all."""
    for folder in extensions:
        for file in sorted((folder / "localizations").glob("*.json")):
            localizations.setdefault(file.stem, []).append(str(file))


def localization_js(name: str) -> str:
    """What the page gets."""
    texts: dict[str, str] = {}
    for path in localizations.get(name, []):
        texts |= json.loads(Path(path).read_text(encoding="utf-8"))
    return f"window.localization = {json.dumps(texts)}"
