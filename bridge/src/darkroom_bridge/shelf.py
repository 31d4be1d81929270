"""The model files of a stage as the WebUI lists and spells them."""

import re
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import Any
from unicodedata import normalize

from darkroom_bridge.facts import table
from darkroom_client.answers import Checkpoint, Kind
from darkroom_client.model_folders import stem

FRESH_SECONDS = 30.0
"""How long a listing is used before it is read again; the WebUI's refresh calls do so at once."""
_OLD_HASH = re.compile(r"[0-9a-f]{8}")
_SCALE = re.compile(r"(?:^|[^0-9])([1-8])x|x([1-8])(?:[^0-9]|$)", re.I)
_FOLDERS: dict[Kind, str] = {
    "stable-diffusion": "models/Stable-diffusion",
    "vae": "models/VAE",
    "lora": "models/Lora",
    "hypernetwork": "models/hypernetworks",
    "embedding": "embeddings",
    "controlnet": "models/ControlNet",
    "upscaler": "models/ESRGAN",
}
"""Where the WebUI has the files of a kind."""
_WIDTHS = {"sdxl": 2048, "xl": 2048, "sd 2": 1024, "2.": 1024}
"""How wide an embedding is, by words in what is known of its base model; 768 for all others."""


class Shelf:
    """A listing of the active model files. `read` asks Darkroom for all of them; it may block."""

    def __init__(self, read: Callable[[], Iterable[Checkpoint]], monotonic: Callable[[], float] = time.monotonic):
        self._read = read
        self._monotonic = monotonic
        self._rows: tuple[Checkpoint, ...] = ()
        self._until = float("-inf")
        self._reading = threading.Lock()

    def refresh(self) -> None:
        """Read the listing anew at its next use."""
        self._until = float("-inf")

    def of(self, kind: Kind) -> list[Checkpoint]:
        """The active files of a kind, by name."""
        # Clients ask for several lists at once; one reading does for all.
        with self._reading:
            if self._monotonic() >= self._until:
                self._rows = tuple(row for row in self._read() if row["status"] == "active")
                self._until = self._monotonic() + FRESH_SECONDS
        return sorted((row for row in self._rows if row["kind"] == kind), key=lambda row: row["name"].casefold())

    def find(self, kind: Kind, text: str) -> Checkpoint | None:
        """The file that a spelling means, None when the shelf has none of that name."""
        wanted = _folded(text)
        bare = _folded(re.sub(r"\s*\[[0-9a-fA-F]*\]$", "", text.strip()))
        for row in self.of(kind):
            if wanted in (spelled := set(_spellings(row))) or bare in spelled:
                return row
        return None


def may_be_old_hash(text: str) -> bool:
    """Whether a name is the eight digits of the WebUI's old hash, which only Darkroom can look up."""
    return _OLD_HASH.fullmatch(text.strip().lower()) is not None


def title(row: Checkpoint) -> str:
    """A checkpoint as the WebUI shows it: folder, name, and the first ten digits of its hash if they are known."""
    return f"{_path(row)} [{row['sha256'][:10]}]" if row["sha256"] else _path(row)


def sd_models(rows: Iterable[Checkpoint]) -> list[dict[str, Any]]:
    """The answer of `sd-models`."""
    return [
        {
            "title": title(row),
            "model_name": _model_name(row),
            "hash": row["sha256"][:10] if row["sha256"] else None,
            "sha256": row["sha256"],
            "filename": _filename(row),
            "config": None,
        }
        for row in rows
    ]


def sd_vae(rows: Iterable[Checkpoint]) -> list[dict[str, Any]]:
    """The answer of `sd-vae`."""
    return [{"model_name": row["name"], "filename": _filename(row)} for row in rows]


def loras(rows: Iterable[Checkpoint]) -> list[dict[str, Any]]:
    """The answer of `loras`."""
    return [
        {
            "name": stem(row["name"]),
            "alias": next(iter(row["aliases"]), stem(row["name"])),
            "path": _filename(row),
            "metadata": {"ss_tag_words": row["trigger_words"]} if row["trigger_words"] else {},
        }
        for row in rows
    ]


def hypernetworks(rows: Iterable[Checkpoint]) -> list[dict[str, Any]]:
    """The answer of `hypernetworks`."""
    return [{"name": stem(row["name"]), "path": _filename(row)} for row in rows]


def embeddings(rows: Iterable[Checkpoint]) -> dict[str, Any]:
    """The answer of `embeddings`. The shelf does not know how many vectors one has, so it says 1."""
    loaded = {}
    for row in rows:
        base = (row["base_model"] or "").lower()
        width = next((width for word, width in _WIDTHS.items() if word in base), 768)
        about = {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None}
        loaded[stem(row["name"])] = {**about, "shape": width, "vectors": 1}
    return {"loaded": loaded, "skipped": {}}


def upscalers(rows: Iterable[Checkpoint]) -> list[dict[str, Any]]:
    """The answer of `upscalers`: those that need no file, and the files on the shelf."""
    plain = [_upscaler(name, None, None, 4) for name in ("None", "Lanczos", "Nearest")]
    return plain + [_upscaler(_shown(row), stem(row["name"]), _filename(row), _scale(row)) for row in rows]


def realesrgan_models(rows: Iterable[Checkpoint]) -> list[dict[str, Any]]:
    """The answer of `realesrgan-models`: the upscalers on the shelf that are RealESRGAN's."""
    named = [(row, _shown(row)) for row in rows]
    return [
        {"name": name, "path": _filename(row), "scale": _scale(row)} for row, name in named if name.startswith("R-")
    ]


def controlnet_models(rows: Iterable[Checkpoint]) -> list[str]:
    """ControlNet models as its extension lists them."""
    return [f"{stem(row['name'])} [{row['sha256'][:8]}]" if row["sha256"] else stem(row["name"]) for row in rows]


def _upscaler(name: str, model: str | None, path: str | None, scale: int) -> dict[str, Any]:
    return {"name": name, "model_name": model, "model_path": path, "model_url": None, "scale": float(scale)}


def _shown(row: Checkpoint) -> str:
    """An upscaler's name in the WebUI: that of a known file, else the file's stem."""
    files: dict[str, str] = table("webui")["upscaler_files"]
    return next((name for name, file in files.items() if file.lower() == row["name"].lower()), stem(row["name"]))


def _scale(row: Checkpoint) -> int:
    found = _SCALE.search(stem(row["name"]))
    return int(found[1] or found[2]) if found else 4


def _path(row: Checkpoint) -> str:
    return f"{row['folder']}/{row['name']}" if row["folder"] else row["name"]


def _filename(row: Checkpoint) -> str:
    return str(PurePosixPath(_FOLDERS.get(row["kind"], "models"), _path(row)))


def _model_name(row: Checkpoint) -> str:
    return stem(_path(row).replace("/", "_"))


def _folded(text: str) -> str:
    composed = normalize("NFC", text.strip().replace("\\", "/"))
    return normalize("NFC", composed.casefold())


def _spellings(row: Checkpoint) -> Iterable[str]:
    """Every name that means the file, folded."""
    for name in (row["name"], *row["aliases"], _path(row), _path(row).replace("/", "_"), title(row)):
        yield from (_folded(name), _folded(stem(name)))
    if row["sha256"]:
        yield from (row["sha256"][:10], row["sha256"][:12], row["sha256"])
