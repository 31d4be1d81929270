"""Finding the model files on this machine, with their kinds and the folders that the WebUI shows before their names."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from darkroom_client.answers import Kind, Purpose
from darkroom_client.errors import Failure
from darkroom_client.model_folders import NO_KIND, NO_MODEL, SAME_FILE, SUFFIXES, TEXTS, LeftOut, read_folders

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
    "hat": "upscaler",
    "text_encoder": "text_encoder",
}
"""The kind of the files in each of the WebUI's folders, by the folder's name in lower case."""
ENGINE_FILE: Kind = "engine-file"
"""The kind of a file that no folder of a WebUI tells: an engine needs it for a purpose."""
MAX_FOLDER = 200
"""Characters of a folder that the shelf keeps."""


@dataclass(frozen=True)
class ModelFile:
    """A model file on this machine, with its kind.

    `folder` is where it lies below the folder of its kind, with slashes: empty right in it, None where no folder tells.
    `called` is its name on the shelf if that is not its file name. `aliases` are further names for it. `purpose` is
    what an engine needs it for, of an `engine-file` alone.
    """

    path: Path
    kind: Kind
    folder: str | None = None
    called: str | None = None
    aliases: tuple[str, ...] = ()
    purpose: Purpose | None = None

    @property
    def file_name(self) -> str:
        """Its file name on this machine, with accents in one character each (a Mac writes two)."""
        return normalize("NFC", self.path.name)

    @property
    def name(self) -> str:
        """Its name on the shelf."""
        return normalize("NFC", self.called) if self.called else self.file_name


@dataclass
class Selection:
    """The files to upload, and what was found and left out."""

    files: list[ModelFile] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def kind_of(path: Path) -> Kind | None:
    """A file's kind by its folders: by the one directly inside `models`, or else by the nearest with a known name. None
    when no folder has one."""
    found = _kind_and_folder(path)
    return found[0] if found else None


def select(paths: Iterable[Path], kind: Kind | None = None) -> Selection:
    """The files to upload for these files and folders. `kind` is used for every file that is given by its own path, and
    for files in folders that tell no kind.

    A file that can be reached under the same name by two paths is selected once. Two files of one name are both
    selected; `model_names.choose` gives them their names. Raises Failure for a path that is no model file or has none.
    """
    selection = Selection()
    selected: dict[tuple[str, str, int, int], ModelFile] = {}
    for path in paths:
        for file in _in_folder(path, kind, selection) if path.is_dir() else [_single(path, kind)]:
            status = file.path.stat()
            identity = (file.kind, file.file_name, status.st_dev, status.st_ino)
            first = selected.setdefault(identity, file)
            if first is file:
                selection.files.append(file)
            elif os.path.abspath(first.path) != os.path.abspath(file.path):
                selection.left_out.append(LeftOut(file.path, SAME_FILE))
    return selection


def _kind_and_folder(path: Path) -> tuple[Kind, Path] | None:
    """The kind of a file by its folders, and the folder that told it."""
    inside: list[Path] = []
    within_models = False
    for folder in Path(os.path.abspath(path)).parents:
        if folder.name.lower() == "models":
            within_models = True
            break
        inside.append(folder)
    telling = [inside[-1]] if inside and within_models and inside[-1].name.lower() in FOLDERS else []
    telling += [folder for folder in inside if folder.name.lower() in FOLDERS]
    if not telling:
        return None
    kind = FOLDERS[telling[0].name.lower()]
    # The WebUI treats `*.vae.*` files as VAEs, although they are in the folder of the checkpoints.
    if kind == "stable-diffusion" and Path(path.stem).suffix.lower() == ".vae":
        kind = "vae"
    return kind, telling[0]


def _single(path: Path, kind: Kind | None) -> ModelFile:
    """A file that was given by its own path."""
    if path.is_symlink() and not path.exists():
        raise Failure(f"{path}: the link leads to no file.")
    if not path.is_file():
        raise Failure(f"{path}: there is no such file.")
    suffixes = SUFFIXES + (TEXTS if kind == ENGINE_FILE else ())
    if path.suffix.lower() not in suffixes:
        raise Failure(f"{path}: not a model file; they end in {', '.join(suffixes)}.")
    told = _kind_and_folder(path)
    if kind is None and told is None:
        raise Failure(f"{path}: its folder does not tell what it is; say so with --kind.")
    if told and kind in (None, told[0]):
        return ModelFile(path, told[0], _below(path, told[1]))
    assert kind is not None  # noqa: S101 - one of the two is there
    return ModelFile(path, kind)


def _in_folder(directory: Path, kind: Kind | None, selection: Selection) -> list[ModelFile]:
    """The files of a folder, which may be a whole WebUI. Raises Failure when there are none."""
    roots, others = _roots(directory)
    suffixes = SUFFIXES + (TEXTS if kind == ENGINE_FILE else ())
    found = read_folders(roots, lambda folder: kind_of(folder / "any"), suffixes)
    selection.left_out += [LeftOut(path, NO_KIND) for path in others] + found.left_out
    files = []
    for path in found.files:
        told = _kind_and_folder(path)
        if told and path.suffix.lower() in TEXTS:
            selection.left_out.append(LeftOut(path, NO_MODEL))
        elif told:
            files.append(ModelFile(path, told[0], _below(path, told[1])))
        elif kind:
            files.append(ModelFile(path, kind, _below(path, directory)))
        else:
            selection.left_out.append(LeftOut(path, NO_KIND))
    if not files:
        hint = "say what they are with --kind" if found.files else f"model files end in {', '.join(SUFFIXES)}"
        raise Failure(
            f"{directory}: no model files in folders such as models/Stable-diffusion or models/Lora ({hint})."
        )
    return files


def _roots(directory: Path) -> tuple[list[Path], list[Path]]:
    """The folders of a WebUI that contain models, and those below `models` that tell no kind; of any other folder
    itself."""
    folders = {entry.name.lower(): entry for entry in sorted(directory.iterdir()) if entry.is_dir()}
    if "models" not in folders:
        return [directory], []
    below = [entry for entry in sorted(folders["models"].iterdir()) if entry.is_dir()]
    known = [entry for entry in below if entry.name.lower() in FOLDERS]
    others = [entry for entry in below if entry not in known and not entry.name.startswith(".")]
    return known + [folders[name] for name in ("embeddings",) if name in folders], others


def _below(path: Path, folder: Path) -> str | None:
    """Where a file lies below a folder, with slashes; None where the shelf could not keep it."""
    relative = Path(os.path.abspath(path)).parent.relative_to(os.path.abspath(folder)).as_posix()
    said = normalize("NFC", "" if relative == "." else relative)
    return said if len(said) <= MAX_FOLDER else None
