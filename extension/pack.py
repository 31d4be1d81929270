"""`python -m extension.pack TARGET.zip`: the extension with its client as a zip file, the same bytes each time."""

import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

EXTENSION = Path(__file__).resolve().parent
CLIENT = EXTENSION.parent / "client" / "src" / "darkroom_client"
NAME = "sd-webui-darkroom"
"""The folder in the zip, to be put into `extensions/`."""
_LEFT_OUT = frozenset({"__pycache__", "pack.py"})


def contents() -> dict[str, Path]:
    """What is in the zip: names, and the files they are read from."""
    own = {f"{NAME}/{path.relative_to(EXTENSION).as_posix()}": path for path in _files(EXTENSION)}
    client = {f"{NAME}/client/darkroom_client/{path.relative_to(CLIENT).as_posix()}": path for path in _files(CLIENT)}
    licence = {f"{NAME}/LICENSE": EXTENSION.parent / "LICENSE"}
    return dict(sorted({**own, **client, **licence}.items()))


def pack(target: Path) -> None:
    """Write the zip. Every file in it has the same time and mode, so nothing but its content counts."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for name, path in contents().items():
            entry = ZipInfo(name)
            entry.compress_type, entry.external_attr, entry.create_system = ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, path.read_bytes())


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not _LEFT_OUT & set(path.parts)]


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
