"""Builds the worker's package, and finds one that was built.

A package is `<folder>/<base>/<digest>`, where the digest covers the paths and bytes of all its files: the same sources
give the same digest. It holds the code, the wheels for the Python of AWS's container, and what starts both.
"""

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker

from layers.files import digest_of, files_below
from layers.worker import licences

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
DEFAULT = ROOT / "dist" / "worker"
"""Where `make worker` builds, and where a deploy looks."""
BASES: Mapping[str, str] = {"pytorch": "3.12", "ray": "3.13"}
"""The containers of AWS that a package can be for, with the Python that each has
(github.com/aws/deep-learning-containers, `docs/src/data`)."""
ENGINES = ("diffusers", "preview")
PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (34, 31, 28, 27, 26, 24, 17, 12, 5)] + ["manylinux2014_x86_64"]
"""What Amazon Linux 2023 runs, which all these containers are: its glibc is 2.34."""
_ABOUT = "package.json"


class PackageError(Exception):
    """A package cannot be built, or is not what it should be; the text says what to do."""


@dataclass(frozen=True)
class Package:
    """A package: its folder, whose name is the digest of its content, and what it can paint with."""

    folder: Path
    base: str
    engine: str
    sources: str

    @property
    def digest(self) -> str:
        """What its place in S3 is called."""
        return self.folder.name

    @property
    def bytes(self) -> int:
        """The size of all its files."""
        return sum(file.stat().st_size for file in files_below(self.folder))


def build(folder: Path, base: str, engine: str, python: str | None = None) -> Package:
    """Build the package for a base and an engine into `folder`, in place of the one that was there for that base.

    The wheels come from the package registry, each checked by its hash. `python` is another Python than that of the
    base. Raises PackageError with the installer's words.
    """
    python = python or BASES[base]
    there = folder / base
    there.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=there, prefix="part-"))
    try:
        for source, place in _code(base).items():
            target = part / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        _download(_lock(engine), python, part / "wheels")
        if refused := licences.refused(sorted((part / "wheels").iterdir())):
            raise PackageError(f"These licences are not accepted (layers/worker/licences.py): {refused}")
        about = {"base": base, "engine": engine, "python": python, "sources": sources_of(base, engine)}
        (part / _ABOUT).write_text(json.dumps(about, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        part.chmod(0o755)
        done = there / digest_of(part)
        for older in there.iterdir():
            if older not in (part, done):
                shutil.rmtree(older)
        if not done.is_dir():
            part.rename(done)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return read(done)


def find(folder: Path, base: str) -> Package | None:
    """The package for a base that was built into `folder`; None if there is none. Raises PackageError for one whose
    sources have changed since."""
    there = folder / base
    built = sorted(each for each in there.iterdir() if (each / _ABOUT).is_file()) if there.is_dir() else []
    if not built:
        return None
    package = read(built[-1])
    if package.sources != sources_of(package.base, package.engine):
        again = f"make worker ENGINE={package.engine} BASE={package.base}"
        raise PackageError(f"The worker changed since its package {built[-1]} was built: run `{again}`, or remove it.")
    return package


def read(folder: Path) -> Package:
    """The package in a folder."""
    about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    return Package(folder, about["base"], about["engine"], about["sources"])


def _code(base: str) -> dict[Path, str]:
    """Every file of a package but its wheels, with its place in it."""
    worker = [file for file in files_below(ROOT / "worker") if _is_code(file.relative_to(ROOT / "worker"))]
    code = {file: f"code/{file.relative_to(ROOT).as_posix()}" for file in worker}
    shared = ROOT / "shared"
    code |= {file: f"code/{file.relative_to(shared).as_posix()}" for file in _imported(code, shared)}
    left_out = ("__init__.py", *(() if base == "ray" else ("darkroom_ray.py",)))
    contents = (file for file in (HERE / "contents").iterdir() if file.is_file())
    return code | {file: file.name for file in contents if file.name not in left_out}


def _is_code(file: Path) -> bool:
    """Whether a file of `worker/` is a part of the program. What lies at the top and is no module is for builds."""
    return len(file.parts) > 1 or file.suffix == ".py"


def _imported(files: Iterable[Path], root: Path) -> list[Path]:
    """The modules of `darkroom` that these files import, and those that they import in turn. Only these are shipped, so
    that a change of anything else changes no package."""
    found: set[Path] = set()
    waiting = [file for file in files if file.suffix == ".py"]
    while waiting:
        for name in _names(waiting.pop()):
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                place = root.joinpath(*parts[:length])
                for module in (place.with_suffix(".py"), place / "__init__.py"):
                    if module.is_file() and module not in found:
                        found.add(module)
                        waiting.append(module)
    return sorted(found)


def _names(file: Path) -> list[str]:
    """What a file imports from `darkroom`; `from a import b` may mean the module `a.b`."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.partition(".")[0] == "darkroom"]


def _lock(engine: str) -> Path:
    return HERE / f"{engine}.txt"


def sources_of(base: str, engine: str) -> str:
    """A digest of what a package is made of, to tell one that is older than its sources."""
    digest = hashlib.sha256(_lock(engine).read_bytes())
    for source, place in sorted(_code(base).items(), key=lambda each: each[1]):
        digest.update(f"{place}\0{hashlib.sha256(source.read_bytes()).hexdigest()}\0".encode())
    return digest.hexdigest()


def _download(lock: Path, python: str, folder: Path) -> None:
    """The wheels of a lock for one Python on the containers' platform."""
    folder.mkdir()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write(entries_for(lock.read_text(encoding="utf-8"), python))
        wanted.flush()
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--only-binary", ":all:", "--implementation", "cp"),
            *("--python-version", python, "--dest", str(folder), "--requirement", wanted.name),
            *(option for platform in PLATFORMS for option in ("--platform", platform)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise PackageError(f"The worker's packages cannot be downloaded. pip says:\n{done.stderr.strip()[-2000:]}")


def entries_for(lock: str, python: str) -> str:
    """The entries of a lock that hold on that Python in the container. pip asks the Python that it runs on."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    }
    kept = []
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        pinned, marker, rest = re.fullmatch(r"(\S+)(?: ; ([^\\]+?))?( \\\n.*)", entry, re.DOTALL).groups()  # type: ignore[union-attr]
        if marker is None or Marker(marker).evaluate(environment):
            kept.append(pinned + rest)
    return "\n".join(kept) + "\n"
