"""The build of the page: the same each time, small, and with the licences of what is in it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from layers.files import digest_of, files_below
from layers.page import build, headers

MOST_BYTES = 150_000
"""Of JavaScript, compressed: what a phone loads before it shows anything."""


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The page, built twice into folders of different names."""
    folders = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("another-one")
    for folder in folders:
        build.build(folder)
    return folders


def test_two_builds_are_the_same_byte_for_byte(builds: tuple[Path, Path]) -> None:
    one, other = builds
    assert [file.relative_to(one) for file in files_below(one)] == [
        file.relative_to(other) for file in files_below(other)
    ]
    assert digest_of(one) == digest_of(other)
    told = [file for file in files_below(one) if str(build.ROOT).encode() in file.read_bytes()]
    assert told == []


def test_the_script_stays_small(builds: tuple[Path, Path]) -> None:
    size = build.Page(builds[0]).script_bytes
    assert 1_000 < size <= MOST_BYTES


def test_the_page_has_no_script_and_no_style_of_its_own_and_names_no_foreign_place(builds: tuple[Path, Path]) -> None:
    index = (builds[0] / headers.ENTRY).read_text()
    assert index.count("<script") == index.count('<script type="module" crossorigin src="/assets/')
    assert "<style" not in index
    assert " style=" not in index
    assert "://" not in index


def test_names_in_assets_hold_a_hash_as_they_are_kept_for_ever(builds: tuple[Path, Path]) -> None:
    kept = [
        file for file in files_below(builds[0]) if headers.caching(str(file.relative_to(builds[0]))) == headers.FOREVER
    ]
    assert kept
    for file in kept:
        assert re.search(r"-[\w-]{8}$", file.stem), file.name


def test_what_is_bundled_is_what_the_licences_are_shipped_of(tmp_path: Path) -> None:
    """Vite's map of the sources names each file that went in."""
    command = [str(build.node()), "node_modules/vite/bin/vite.js", "build", "--outDir", str(tmp_path), "--sourcemap"]
    subprocess.run(command, cwd=build.WEB, check=True, capture_output=True)  # noqa: S603 - a fixed command
    sources = {
        source
        for found in tmp_path.rglob("*.map")
        for source in json.loads(found.read_text())["sources"]
        if "node_modules/" in source
    }
    assert sources
    bundled = {
        "/".join(source.rpartition("node_modules/")[2].split("/")[: 2 if "/@" in source else 1]) for source in sources
    }
    assert bundled <= set(build.shipped())
    told = build.licence_texts()
    for name, entry in build.shipped().items():
        assert f"{name} {entry['version']} ({entry['license']})" in told
    assert "Permission is hereby granted" in told


def test_a_change_of_a_source_makes_another_build_and_the_tests_make_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "src" / "api").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    monkeypatch.setattr(build, "WEB", tmp_path)
    monkeypatch.setattr(build, "ROOT", Path("/"))
    before = build.sources()
    (tmp_path / "tests" / "a.test.ts").write_text("1")
    # The types are made of docs/openapi.json, and no line of them is in a build.
    (tmp_path / "src" / "api" / "schema.d.ts").write_text("1")
    assert build.sources() == before
    (tmp_path / "src" / "main.ts").write_text("1")
    assert build.sources() != before


def test_what_vite_cannot_build_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(build.WEB / "node_modules")
    (tmp_path / "index.html").write_text('<!doctype html><script type="module" src="/nowhere.ts"></script>')
    monkeypatch.setattr(build, "WEB", tmp_path)
    with pytest.raises(build.PageError, match=r"(?s)Vite says:.*nowhere\.ts"):
        build.build(tmp_path / "out")
