"""README and docs: links that lead somewhere, pictures that are small, lines that fit on a screen."""

import re
from pathlib import Path

import pytest

from local.home import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.M | re.S)
WIDTH = 120
PICTURE_BYTES = 150_000


def anchors(page: Path) -> set[str]:
    """The names under which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_our_own_files_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_wraps(page: Path) -> None:
    lines = CODE.sub("", page.read_text()).splitlines()
    assert [line for line in lines if len(line) > WIDTH and not line.startswith("|")] == []


def test_the_readme_opens_with_small_pictures() -> None:
    lines = [line for line in (ROOT / "README.md").read_text().splitlines() if line]
    assert all(line.startswith("![") for line in lines[1:3])
    for line in lines[1:3]:
        (path,) = LINK.findall(line)
        assert (ROOT / path).stat().st_size < PICTURE_BYTES


def test_the_picture_of_the_terminal_loads_nothing_from_elsewhere() -> None:
    svg = (ROOT / "docs" / "pictures" / "history.svg").read_text()
    assert "url(http" not in svg
    assert "href" not in svg
