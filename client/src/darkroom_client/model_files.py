"""Which files of this machine are model files, and of which kind."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from darkroom_client.answers import Kind
from darkroom_client.errors import Failure

FOLDERS: dict[str, Kind] = {
    "stable-diffusion": "stable-diffusion",
    "vae": "vae",
    "lora": "lora",
    "lycoris": "lora",
    "hypernetworks": "hypernetwork",
    "embeddings": "embedding",
    "controlnet": "controlnet",
}
"""The WebUI's folders, in lower case, and the kind of what lies in them."""
SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class ModelFile:
    """A model file on this machine, and what it will be called on the shelf."""

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        """Its file name, as the WebUI shows it."""
        return self.path.name


@dataclass
class Selection:
    """What will be uploaded, and the files that cannot be because another one (the second of each pair) has their kind
    and name."""

    files: list[ModelFile] = field(default_factory=list)
    clashes: list[tuple[ModelFile, ModelFile]] = field(default_factory=list)


def kind_of(path: Path) -> Kind | None:
    """The kind that a file's folders tell: the one right below `models`, or else the nearest with a known name."""
    folders = [folder.name.lower() for folder in Path(os.path.abspath(path)).parents]
    inside = list(takewhile(lambda folder: folder != "models", folders))
    kind: Kind | None = None
    if inside and len(inside) < len(folders):
        kind = FOLDERS.get(inside[-1])
    kind = kind or next((FOLDERS[folder] for folder in inside if folder in FOLDERS), None)
    # The WebUI takes such files for VAEs, though they lie beside the checkpoints they belong to.
    if kind == "stable-diffusion" and Path(path.stem).suffix.lower() == ".vae":
        return "vae"
    return kind


def select(paths: Iterable[Path], kind: Kind | None = None) -> Selection:
    """What to upload for these files and directories. `kind` wins over the folder for a file that is named, and
    fills in for files of a directory whose folders tell nothing."""
    taken: dict[tuple[str, str], ModelFile] = {}
    selection = Selection()
    for path in paths:
        for file in _models_at(path, kind):
            first = taken.setdefault((file.kind, file.name), file)
            if first is file:
                selection.files.append(file)
            elif os.path.abspath(first.path) != os.path.abspath(file.path):
                selection.clashes.append((file, first))
    return selection


def _models_at(path: Path, kind: Kind | None) -> list[ModelFile]:
    if path.is_dir():
        return _models_below(path, kind)
    if not path.is_file():
        raise Failure(f"{path}: there is no such file.")
    if path.suffix.lower() not in SUFFIXES:
        raise Failure(f"{path}: not a model file; they end in {', '.join(SUFFIXES)}.")
    known = kind or kind_of(path)
    if known is None:
        raise Failure(f"{path}: its folder does not tell what it is; say so with --kind.")
    return [ModelFile(path, known)]


def _models_below(directory: Path, kind: Kind | None) -> list[ModelFile]:
    kinds = [(file, kind_of(file) or kind) for root in _roots(directory) for file in _walk(root)]
    found = [ModelFile(file, known) for file, known in kinds if known]
    if not found:
        hint = "say what they are with --kind" if kinds else f"model files end in {', '.join(SUFFIXES)}"
        raise Failure(
            f"{directory}: no model files in folders such as models/Stable-diffusion or models/Lora ({hint})."
        )
    return found


def _roots(directory: Path) -> list[Path]:
    """The folders of a WebUI that hold models; any other directory itself."""
    folders = {entry.name.lower(): entry for entry in sorted(directory.iterdir()) if entry.is_dir()}
    if "models" not in folders:
        return [directory]
    below = [entry for entry in sorted(folders["models"].iterdir()) if entry.is_dir() and entry.name.lower() in FOLDERS]
    return below + [folders[name] for name in ("embeddings",) if name in folders]


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            placeholder = name.lower().startswith("put") and Path(name).stem.lower().endswith("here")
            if not name.startswith(".") and not placeholder and Path(name).suffix.lower() in SUFFIXES:
                yield Path(folder, name)
