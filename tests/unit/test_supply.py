"""Packages of others that are shipped: each is pinned by its hash and has a licence that allows it."""

import re

from layers.supply import LAYER, ROOT, licences, locked, refused, shipped


def test_every_package_of_both_locks_is_pinned_by_hash() -> None:
    for lock in (LAYER, ROOT / "requirements.lock"):
        entries = re.split(r"\n(?=\S)", lock.read_text().strip())
        assert len(entries) > 10
        for entry in entries:
            assert re.match(r"[a-z0-9][a-z0-9._-]*==\S+", entry), entry
            assert "--hash=sha256:" in entry, entry


def test_the_layer_ships_the_versions_that_are_tested() -> None:
    tested = locked(ROOT / "requirements.lock")
    assert {name: tested[name] for name in locked(LAYER)} == locked(LAYER)


def test_the_packages_of_the_worker_and_of_the_layer_are_checked() -> None:
    assert {"pydantic", "botocore", "aws-lambda-powertools", "pillow", "uvicorn", "h11"} <= set(shipped())


def test_every_shipped_package_has_an_accepted_licence() -> None:
    assert refused(licences()) == {}


def test_a_licence_that_demands_more_is_refused() -> None:
    licences_of = {
        "a": "GNU General Public License v3 (GPLv3)",
        "b": "UNKNOWN",
        "c": "MIT; AGPL-3.0",
        "d": "MIT OR Apache-2.0",
    }
    assert set(refused(licences_of)) == {"a", "b", "c"}
