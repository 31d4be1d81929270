"""The files of what is built for a deploy, and the digest that names it."""

import hashlib
from pathlib import Path


def digest_of(folder: Path) -> str:
    """16 hexadecimal digits over the paths and bytes of all files below a folder."""
    digest = hashlib.sha256()
    for file in files_below(folder):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(folder).as_posix()}\0{content}\0".encode())
    return digest.hexdigest()[:16]


def files_below(folder: Path) -> list[Path]:
    """All files below a folder but compiled ones, in an order that is the same everywhere."""
    return sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
