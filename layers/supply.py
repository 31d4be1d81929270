"""Checks of the packages that Darkroom ships: their licences (offline) and their known vulnerabilities (online).

`python -m layers.supply licences` lists the licence of each package in the Lambda layer, in the worker and in the page,
and ends with 1 when a licence is not on the list of accepted ones. `python -m layers.supply audit` asks the package
registries for known vulnerabilities; it ends with 1 when there are some and with 2 when not every package could be
looked up.
"""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layers.page import build

ROOT = Path(__file__).resolve().parent.parent
LAYER = ROOT / "layers" / "dependencies" / "requirements.txt"
PACKAGED = tuple(ROOT / "layers" / "worker" / f"{engine}.txt" for engine in ("diffusers", "preview"))
"""What is in the worker's packages. Building one checks the licences of its wheels."""
ACCEPTED = ("Apache", "BSD", "MIT", "MIT-0", "MIT-CMU", "HPND", "PSF", "Python Software Foundation")
"""How the accepted licences begin. They allow anybody to ship a package, if the licence's text is shipped with it."""


def locked(requirements: Path) -> dict[str, str]:
    """The versions that a requirements file with hashes pins, by package name."""
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", requirements.read_text(), re.MULTILINE))


def shipped() -> list[str]:
    """The names of all packages in the layer and in the worker."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    found = set(locked(LAYER))
    waiting = [Requirement(line) for line in groups["worker"]]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        waiting += [Requirement(line) for line in _needs(name)]
    return sorted(found)


def _needs(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def licences() -> dict[str, str]:
    """The licence of each shipped package, as its metadata states it; npm packages of the page as `npm:<name>`."""
    return _of_python() | {f"npm:{name}": one.get("license", "UNKNOWN") for name, one in build.shipped().items()}


def _of_python() -> dict[str, str]:
    names = shipped()
    tool = [str(Path(sys.executable).with_name("pip-licenses")), "--python", sys.executable]
    command = [*tool, "--from", "mixed", "--format", "json", "--packages", *names]
    listed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)  # noqa: S603 - a fixed command
    known: dict[str, str] = {canonicalize_name(one["Name"]): str(one["License"]) for one in listed}
    return {name: known.get(name, "UNKNOWN") for name in names}


def refused(found: dict[str, str], also: tuple[str, ...] = ()) -> dict[str, str]:
    """Those of the licences `found` that are not accepted; `also` are accepted as well. When a package has several,
    each must be accepted."""
    return {
        name: licence
        for name, licence in found.items()
        if not all(part.strip().startswith((*ACCEPTED, *also)) for part in re.split(r";| AND | OR ", licence))
    }


def _licences() -> int:
    found = licences()
    for name, licence in found.items():
        print(f"{name:24} {licence}")
    for name, licence in refused(found).items():
        print(f"{name}: {licence} is not among {', '.join(ACCEPTED)}", file=sys.stderr)
    return 1 if refused(found) else 0


def _audit_npm(folder: Path) -> tuple[int, int, int]:
    """How many npm packages of a lock could not be looked up, how many could, and how many vulnerabilities they have,
    which are printed."""
    locked = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    count = len(locked) - 1
    done = subprocess.run(  # noqa: S603 - a fixed command
        [str(build.node().with_name("npm")), "audit", "--json", "--package-lock-only"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        told = json.loads(done.stdout)["vulnerabilities"]
    except (ValueError, KeyError):
        # The registry in use has no such list, or does not answer.
        return count, 0, 0
    for name, one in told.items():
        print(f"npm:{name} {one['range']}: {one['severity']}, mended: {'yes' if one['fixAvailable'] else 'no'}")
    return 0, count, len(told)


def _audit() -> int:
    unknown, known, vulnerable = (sum(counts) for counts in zip(*map(_audit_npm, (ROOT, build.WEB)), strict=True))
    for lock in (LAYER, ROOT / "requirements.lock", ROOT / "worker" / "requirements.lock", *PACKAGED):
        tool = str(Path(sys.executable).with_name("pip-audit"))
        command = [
            tool,
            "-r",
            str(lock),
            "--disable-pip",
            "--require-hashes",
            "--progress-spinner",
            "off",
            "-f",
            "json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
        if not done.stdout.startswith("{"):
            print(f"{lock.name}: pip-audit could not work. It says:\n{done.stderr[-2000:]}", file=sys.stderr)
            return 2
        for one in json.loads(done.stdout)["dependencies"]:
            skipped = "skip_reason" in one
            unknown, known = unknown + skipped, known + (not skipped)
            for flaw in one.get("vulns", []):
                vulnerable += 1
                print(f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions'])}")
    print(f"{vulnerable} known vulnerabilities in {known} packages")
    if unknown:
        print(
            f"{unknown} packages could not be looked up: the registry in use keeps no list of vulnerabilities for them."
        )
    return 1 if vulnerable else 2 if unknown else 0


if __name__ == "__main__":
    sys.exit({"licences": _licences, "audit": _audit}[sys.argv[1]]())
