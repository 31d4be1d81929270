"""Packages of others that are shipped: each is pinned by its hash and has a licence that allows it."""

import json
import re

from layers.page import build
from layers.supply import LAYER, PACKAGED, ROOT, licences, locked, refused, shipped

WEBUIS = ROOT / "tests" / "extension" / "environments"
OWN = (LAYER, ROOT / "requirements.lock", ROOT / "worker" / "requirements.lock", *PACKAGED)
LOCKS = (*OWN, *sorted(WEBUIS.glob("*.lock")))


def test_every_package_of_every_lock_is_pinned_by_hash() -> None:
    for lock in LOCKS:
        entries = re.split(r"\n(?=\S)", lock.read_text().strip())
        assert len(entries) > 10
        for entry in entries:
            assert re.match(r"[a-z0-9][a-z0-9._-]*==\S+", entry), entry
            assert "--hash=sha256:" in entry, entry


def test_the_layer_ships_the_versions_that_are_tested() -> None:
    tested = locked(ROOT / "requirements.lock")
    assert {name: tested[name] for name in locked(LAYER)} == locked(LAYER)


def test_the_worker_is_tested_with_the_versions_of_the_project_wherever_both_have_a_package() -> None:
    tested = locked(ROOT / "requirements.lock")
    own = locked(ROOT / "worker" / "requirements.lock")
    common = tested.keys() & own.keys()
    assert {"boto3", "pillow", "pydantic", "pytest"} <= common
    assert {name: tested[name] for name in common} == {name: own[name] for name in common}


def test_a_package_of_the_worker_has_the_versions_that_are_tested() -> None:
    tested = locked(ROOT / "worker" / "requirements.lock")
    for lock in PACKAGED:
        assert {name: tested[name] for name in locked(lock)} == locked(lock), lock.name


def test_torch_is_in_no_lock_because_machines_take_different_builds_of_it() -> None:
    for lock in LOCKS:
        assert not {"torch", "torchvision"} & locked(lock).keys()
    assert "torch==" in (ROOT / "worker" / "torch.txt").read_text()


def test_the_packages_of_the_worker_and_of_the_layer_are_checked() -> None:
    assert {"pydantic", "botocore", "aws-lambda-powertools", "pillow", "uvicorn", "h11"} <= set(shipped())


def test_every_shipped_package_has_an_accepted_licence() -> None:
    found = licences()
    assert refused(found) == {}
    # The packages of the page are among them, and no tool that builds it.
    assert {"npm:preact", "npm:@preact/signals", "npm:@preact/signals-core"} <= set(found)
    assert not {"npm:vite", "npm:typescript"} & set(found)


def test_every_npm_package_is_pinned_by_its_hash_and_no_registry_is_named() -> None:
    for folder in (ROOT, build.WEB):
        packages = json.loads((folder / "package-lock.json").read_text())["packages"]
        assert len(packages) > 1
        for place, entry in packages.items():
            assert not place or entry["integrity"].startswith("sha512-"), place
            assert "resolved" not in entry, place


def test_a_licence_that_demands_more_is_refused() -> None:
    licences_of = {
        "a": "GNU General Public License v3 (GPLv3)",
        "b": "UNKNOWN",
        "c": "MIT; AGPL-3.0",
        "d": "MIT OR Apache-2.0",
    }
    assert set(refused(licences_of)) == {"a", "b", "c"}
