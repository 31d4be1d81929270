"""Finding the model files on this machine, and their kinds."""

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
    "esrgan": "upscaler",
    "realesrgan": "upscaler",
    "bsrgan": "upscaler",
    "swinir": "upscaler",
    "scunet": "upscaler",
    "dat": "upscaler",
    "text_encoder": "text_encoder",
}
"""The kind of the files in each of the WebUI's folders, by the folder's name in lower case."""
SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class ModelFile:
    """A model file on this machine, with its kind."""

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        """Its file name, which is also its name on the shelf."""
        return self.path.name


@dataclass
class Selection:
    """The files to upload, and the clashes: pairs of a file that is not uploaded and the file with the same kind and
    name that is."""

    files: list[ModelFile] = field(default_factory=list)
    clashes: list[tuple[ModelFile, ModelFile]] = field(default_factory=list)


def kind_of(path: Path) -> Kind | None:
    """A file's kind by its folders: by the one directly inside `models`, or else by the nearest with a known name. None
    when no folder has one."""
    folders = [folder.name.lower() for folder in Path(os.path.abspath(path)).parents]
    inside = list(takewhile(lambda folder: folder != "models", folders))
    kind: Kind | None = None
    if inside and len(inside) < len(folders):
        kind = FOLDERS.get(inside[-1])
    kind = kind or next((FOLDERS[folder] for folder in inside if folder in FOLDERS), None)
    # The WebUI treats `*.vae.*` files as VAEs, although they are in the folder of the checkpoints.
    if kind == "stable-diffusion" and Path(path.stem).suffix.lower() == ".vae":
        return "vae"
    return kind


def select(paths: Iterable[Path], kind: Kind | None = None) -> Selection:
    """The model files among these files and in these directories. For a file in `paths`, `kind` is used instead of its
    folder's kind; for a file in a directory, only when its folders have none. Raises Failure for a path without model
    files."""
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
    found = kind or kind_of(path)
    if found is None:
        raise Failure(f"{path}: its folder does not tell what it is; say so with --kind.")
    return [ModelFile(path, found)]


def _models_below(directory: Path, kind: Kind | None) -> list[ModelFile]:
    kinds = [(file, kind_of(file) or kind) for root in _roots(directory) for file in _walk(root)]
    found = [ModelFile(file, file_kind) for file, file_kind in kinds if file_kind]
    if not found:
        hint = "say what they are with --kind" if kinds else f"model files end in {', '.join(SUFFIXES)}"
        raise Failure(
            f"{directory}: no model files in folders such as models/Stable-diffusion or models/Lora ({hint})."
        )
    return found


def _roots(directory: Path) -> list[Path]:
    """The folders with models if `directory` is a WebUI's, otherwise the directory itself."""
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
