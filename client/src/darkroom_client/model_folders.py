"""Reading folders for model files: through links, without running in circles, and with a note of what is left out."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")
TEXTS = (".txt",)
"""Lists of words, which an engine may need."""

NO_MODEL = "not a model file"
HIDDEN = "hidden"
PLACEHOLDER = "a placeholder of the WebUI"
BROKEN_LINK = "a broken link"
LOOP = "a link to a folder above it"
READ_ALREADY = "a folder that was read already"
UNREADABLE = "a folder that cannot be read"
NO_KIND = "in a folder that tells no kind"
SAME_FILE = "the same file as another one"
SAME_CONTENT = "the same content under the same name"
NOT_WORTH_A_LINE = frozenset({NO_MODEL, HIDDEN, PLACEHOLDER})
"""Reasons that are counted and not listed path by path."""


def stem(name: str) -> str:
    """A file name without the extension of a model file."""
    return next((name[: -len(suffix)] for suffix in SUFFIXES if name.lower().endswith(suffix)), name)


@dataclass(frozen=True)
class LeftOut:
    """A path that is not uploaded, with the reason: one of the texts above."""

    path: Path
    reason: str


@dataclass
class Found:
    """The model files that were found, and everything beside them that is not uploaded."""

    files: list[Path] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def counted(left_out: Iterable[LeftOut]) -> dict[str, int]:
    """How many paths were left out for each reason, the most frequent first."""
    return dict(Counter(one.reason for one in left_out).most_common())


def read_folders(roots: Iterable[Path], group: Callable[[Path], object], suffixes: tuple[str, ...] = SUFFIXES) -> Found:
    """All files below these folders that end in one of `suffixes`, by name within each folder.

    Links to folders are followed, after all folders that are no links: so a folder goes by its own name and not by that
    of a link to it. A folder is read once for each value of `group`, which is asked with the folder's path.
    """
    found = Found()
    folders, links, seen = deque(roots), deque[Path](), set[tuple[int, int, object]]()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        try:
            status = folder.stat()
            identity = (status.st_dev, status.st_ino, group(folder))
            if identity in seen or _leads_up(folder):
                found.left_out.append(LeftOut(folder, LOOP if _leads_up(folder) else READ_ALREADY))
                continue
            seen.add(identity)
            entries = sorted(folder.iterdir())
        except OSError:
            found.left_out.append(LeftOut(folder, UNREADABLE))
            continue
        below = _sort_entries(entries, found, suffixes)
        links.extend(path for path in below if path.is_symlink())
        folders.extendleft(path for path in reversed(below) if not path.is_symlink())
    return found


def _sort_entries(entries: list[Path], found: Found, suffixes: tuple[str, ...]) -> list[Path]:
    """Add the model files among the entries of a folder to what was found; returns the folders among them."""
    folders = []
    for path in entries:
        if path.name.startswith("."):
            found.left_out.append(LeftOut(path, HIDDEN))
        elif os.path.isdir(path):
            folders.append(path)
        elif reason := _unfit(path, suffixes):
            found.left_out.append(LeftOut(path, reason))
        else:
            found.files.append(path)
    return folders


def _unfit(path: Path, suffixes: tuple[str, ...]) -> str | None:
    """Why a path that is no folder cannot be a model file, None when it can."""
    if path.is_symlink() and not os.path.exists(path):
        return BROKEN_LINK
    if path.suffix.lower() not in suffixes or not os.path.isfile(path):
        return NO_MODEL
    if path.name.lower().startswith("put") and path.stem.lower().endswith("here"):
        return PLACEHOLDER
    return None


def _leads_up(folder: Path) -> bool:
    """Whether a folder is a link to itself or to a folder that it lies in."""
    if not folder.is_symlink():
        return False
    return Path(os.path.realpath(folder.parent)).is_relative_to(os.path.realpath(folder))
