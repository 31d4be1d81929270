"""Starts the worker from its package: unpacks the wheels that lie beside this file, and becomes the worker.

`python start.py serve`. It needs the standard library alone, and no network.
"""

import hashlib
import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
"""The worker reaches S3 and SQS, and nothing else. Its libraries would look for newer files, and report their use."""


def main(arguments: list[str]) -> None:
    """Replaces this process by the worker. Ends with 1, and says why, if the package does not suit the container."""
    about = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    has = f"{sys.version_info.major}.{sys.version_info.minor}"
    if has != about["python"]:
        sys.exit(f"darkroom: this package is for Python {about['python']}, and the container has Python {has}")
    try:
        packages = unpacked(sorted((HERE / "wheels").glob("*.whl")), Path(tempfile.gettempdir()))
    except (OSError, zipfile.BadZipFile) as error:
        sys.exit(f"darkroom: the wheels of this package cannot be unpacked: {error}")
    paths = [str(HERE / "code"), str(packages), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, **OFFLINE, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    # -P: what lies in the container's working folder is no module of ours.
    command = [sys.executable, "-P", "-m", "worker.server", *arguments]
    os.execve(sys.executable, command, environment)  # noqa: S606 - a fixed command, without a shell


def unpacked(wheels: list[Path], folder: Path) -> Path:
    """The folder below `folder` with the content of all wheels. It is made once: it is there when it is whole, so a
    second start takes it as it is. Raises OSError and BadZipFile."""
    names = [[wheel.name, wheel.stat().st_size] for wheel in wheels]
    target = folder / f"darkroom-packages-{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]}"
    if target.is_dir():
        return target
    part = Path(tempfile.mkdtemp(dir=folder, prefix="darkroom-part-"))
    try:
        for wheel in wheels:
            _unpack(wheel, part)
        os.replace(part, target)
    except OSError:
        # Another start may have been faster.
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _unpack(wheel: Path, folder: Path) -> None:
    """What a wheel installs beside its modules (scripts, headers) is left out (Python Packaging User Guide, "Binary
    distribution format": the folder `.data`)."""
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            place = entry.filename.split("/")
            if place[0].endswith(".data"):
                if place[1] not in ("purelib", "platlib"):
                    continue
                entry.filename = "/".join(place[2:])
            if entry.filename:
                archive.extract(entry, folder)


if __name__ == "__main__":
    main(sys.argv[1:])
