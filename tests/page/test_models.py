"""The shelf in a browser: uploads of several parts, paused, and continued after a reload; search and delete."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from darkroom_client import Darkroom, checkpoints
from tests.e2e.conftest import Running
from tests.page.browser import WIDTHS, Watch, cut_off, violations
from tests.page.conftest import Opened, Person
from tests.support.waiting import eventually

PART = 8 * 1024 * 1024
"""Bytes of a part of a file that is not very large (checkpoints/model.py)."""


def model(path: Path, size: int) -> Path:
    """A file of safetensors of this size, in which no two parts are alike."""
    told: dict[str, Any] = {
        "__metadata__": {"ss_output_name": path.stem},
        "x": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]},
    }
    # Room for the numbers, which say how long the rest is.
    start = len(json.dumps(told)) + 40
    length = size - 8 - start
    told["x"] = {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}
    header = json.dumps(told).encode().ljust(start)
    blocks = (hashlib.sha256(f"{path.name}{number}".encode()).digest() for number in range(length // 32 + 1))
    path.write_bytes(start.to_bytes(8, "little") + header + b"".join(blocks)[:length])
    return path


@pytest.fixture
def name(artist: Person) -> str:
    """A name that no other test has."""
    return f"film-{artist.owner}.safetensors"


def upload(page: Page, kind: str, path: Path) -> Locator:
    """Choose a file; its line among the uploads."""
    page.get_by_label("Kind").first.select_option(label=kind)
    page.get_by_label("Choose files").set_input_files(path)
    return page.locator("li.upload", has_text=path.name)


def is_bucket(url: str, stack: Running) -> bool:
    return url.startswith(f"{stack.stack.aws}/{stack.stack.outputs['ModelsBucket']}/")


def stored_bytes(stack: Running, file: str) -> bytes:
    """The bytes of a file of the shelf, as they lie in the bucket."""
    s3 = stack.aws("s3")
    bucket = stack.stack.outputs["ModelsBucket"]
    keys = [
        each["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for each in page.get("Contents", [])
    ]
    (key,) = [key for key in keys if key.endswith(f"/{file}")]
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def test_a_file_of_several_parts_arrives_whole(
    opened: Opened, artist: Person, api: Darkroom, stack: Running, tmp_path: Path, name: str
) -> None:
    path = model(tmp_path / name, 3 * PART + 12_345)
    page = opened(artist.key, "#/models")
    line = upload(page, "LoRA", path)
    expect(line).to_have_attribute("data-state", "done")
    expect(line.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
    row = checkpoints.find(api, "lora", name)
    assert row
    assert (row["status"], row["size"], row["owner"]) == ("active", path.stat().st_size, artist.owner)
    assert stored_bytes(stack, name) == path.read_bytes()
    # It stands on the shelf of the page without a reload.
    expect(page.locator("li.model:not(.upload)", has_text=name)).to_be_visible()


def test_a_paused_upload_goes_on_where_it_was(
    opened: Opened, artist: Person, api: Darkroom, stack: Running, tmp_path: Path, name: str
) -> None:
    path = model(tmp_path / name, 6 * PART)
    page = opened(artist.key, "#/models")
    numbers: list[int] = []
    held: list[Route] = []

    def slow(route: Route) -> None:
        """Two parts pass; all others wait until the upload was paused."""
        number = part_number(route.request.url)
        if is_put(route) and len(numbers) >= 2:
            held.append(route)
            return
        if is_put(route):
            numbers.append(number)
        route.continue_()

    page.route(lambda url: is_bucket(url, stack), slow)
    line = upload(page, "LoRA", path)
    once(page, lambda: held)
    once(page, lambda: len(stored_parts(api, name)) == 2)
    page.get_by_role("button", name=f"Pause the upload of {name}").click()
    expect(line).to_have_attribute("data-state", "paused")
    page.unroute_all(behavior="ignoreErrors")
    again: list[int] = []
    page.on("request", lambda request: again.append(part_number(request.url)) if request.method == "PUT" else None)
    page.get_by_role("button", name=f"Resume the upload of {name}").click()
    expect(line).to_have_attribute("data-state", "done")
    assert sorted(again + numbers) == [1, 2, 3, 4, 5, 6]
    assert stored_bytes(stack, name) == path.read_bytes()


def test_an_upload_goes_on_after_a_reload_when_the_file_is_chosen_again(
    opened: Opened, artist: Person, api: Darkroom, stack: Running, tmp_path: Path, name: str
) -> None:
    path = model(tmp_path / name, 5 * PART + 77)
    page = opened(artist.key, "#/models")
    sent: list[int] = []

    def first_two(route: Route) -> None:
        if not is_put(route):
            route.continue_()
        elif len(sent) < 2:
            sent.append(part_number(route.request.url))
            route.continue_()

    page.route(lambda url: is_bucket(url, stack), first_two)
    upload(page, "LoRA", path)
    once(page, lambda: len(stored_parts(api, name)) == 2)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.unroute_all(behavior="ignoreErrors")
    row = page.locator("li.model", has_text=name)
    expect(row.get_by_text("Its upload is not finished.")).to_be_visible()
    other = model(tmp_path / "other.safetensors", PART)
    row.get_by_label(f"Continue the upload: choose {name} again").set_input_files(other)
    expect(page.get_by_text("Choose the file that was begun")).to_be_visible()
    again: list[int] = []
    page.on("request", lambda request: again.append(part_number(request.url)) if request.method == "PUT" else None)
    row.get_by_label(f"Continue the upload: choose {name} again").set_input_files(path)
    expect(page.locator("li.upload", has_text=name)).to_have_attribute("data-state", "done")
    assert sorted(again + sent) == [1, 2, 3, 4, 5, 6]
    assert stored_bytes(stack, name) == path.read_bytes()


def test_a_connection_that_breaks_is_told_and_mended(
    opened: Opened, artist: Person, stack: Running, tmp_path: Path, name: str, watch: Watch
) -> None:
    watch.expect("ERR_FAILED|ERR_INTERNET_DISCONNECTED")
    path = model(tmp_path / name, 2 * PART)
    page = opened(artist.key, "#/models")
    page.clock.install()
    page.route(lambda url: is_bucket(url, stack), lambda route: route.abort() if is_put(route) else route.continue_())
    line = upload(page, "LoRA", path)
    for _ in range(60):
        page.clock.run_for(2_000)
        if line.get_attribute("data-state") == "paused":
            break
    expect(line.get_by_text("The connection broke.")).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")
    page.clock.resume()
    page.get_by_role("button", name=f"Resume the upload of {name}").click()
    expect(line).to_have_attribute("data-state", "done")


def test_an_upload_that_is_given_up_leaves_nothing(
    opened: Opened, artist: Person, api: Darkroom, stack: Running, tmp_path: Path, name: str
) -> None:
    path = model(tmp_path / name, 4 * PART)
    page = opened(artist.key, "#/models")
    held: list[Route] = []
    page.route(
        lambda url: is_bucket(url, stack), lambda route: held.append(route) if is_put(route) else route.continue_()
    )
    upload(page, "LoRA", path)
    once(page, lambda: held)
    page.get_by_role("button", name=f"Give up the upload of {name}").click()
    expect(page.locator("li.model", has_text=name)).to_have_count(0)
    eventually(lambda: checkpoints.find(api, "lora", name) is None)


def test_what_is_no_model_and_what_is_there_already_is_said(
    opened: Opened, artist: Person, api: Darkroom, tmp_path: Path, name: str, watch: Watch
) -> None:
    """A file that was refused because its name is taken is not deleted when its line is."""
    watch.expect("status of 4(09|22)")
    path = model(tmp_path / name, 1000)
    page = opened(artist.key, "#/models")
    expect(upload(page, "LoRA", path)).to_have_attribute("data-state", "done")
    page.get_by_role("button", name=f"Hide this line: {name}").click()
    line = upload(page, "LoRA", path)
    expect(line).to_have_attribute("data-state", "failed")
    expect(line.get_by_role("alert")).to_contain_text("is on the shelf already")
    line.get_by_role("button", name=f"Give up the upload of {name}").click()
    expect(line).to_have_count(0)
    row = checkpoints.find(api, "lora", name)
    assert row
    assert row["status"] == "active"
    wrong = tmp_path / f"wrong-{name}"
    wrong.write_bytes(b"no model at all, but long enough")
    line = upload(page, "LoRA", wrong)
    expect(line.get_by_role("alert")).to_contain_text("is no model file")


def test_search_kind_and_delete(opened: Opened, artist: Person, api: Darkroom, tmp_path: Path, name: str) -> None:
    page = opened(artist.key, "#/models")
    for kind, file in (("LoRA", name), ("VAE", f"vae-{name}")):
        expect(upload(page, kind, model(tmp_path / file, 2000))).to_have_attribute("data-state", "done")
    for button in page.get_by_role("button", name=re.compile("Hide this line")).all()[::-1]:
        button.click()
    rows = page.locator("li.model")
    page.get_by_label("Search").last.fill(name)
    expect(rows).to_have_count(2)
    page.get_by_label("Kind").last.select_option(label="VAE")
    expect(rows).to_have_count(1)
    page.get_by_role("button", name=f"Delete vae-{name}").click()
    dialog = page.get_by_role("dialog", name=f"Delete vae-{name}")
    dialog.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No model file is like that.")).to_be_visible()
    assert checkpoints.find(api, "vae", f"vae-{name}") is None
    assert checkpoints.find(api, "lora", name)


def test_a_link_is_checked_before_it_is_sent_and_refused_in_words(opened: Opened, artist: Person, watch: Watch) -> None:
    watch.expect("status of 4")
    page = opened(artist.key, "#/models")
    page.get_by_role("button", name="Import by link").click()
    page.get_by_label("Link", exact=True).fill("ftp://example.com/x.safetensors")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("A link begins with https:// or s3://.")).to_be_visible()
    page.get_by_label("Link", exact=True).fill("https://127.0.0.1/x.safetensors")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("alert").or_(page.locator("li.model", has_text="x.safetensors")).first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_shelf_is_usable_at_each_width(opened: Opened, artist: Person, scheme: str) -> None:
    for width in WIDTHS:
        page = opened(artist.key, "#/models", width=width, color_scheme=scheme)
        expect(page.locator("li.model").first).to_be_visible()
        assert (violations(page), cut_off(page)) == ([], []), width


def once(page: Page, look: Callable[[], Any]) -> None:
    """Wait until this is so. The browser's requests are looked at meanwhile, which a mere pause would not do."""

    def look_again() -> Any:
        page.wait_for_timeout(50)
        return look()

    eventually(look_again)


def is_put(route: Route) -> bool:
    return str(route.request.method) == "PUT"


def part_number(url: str) -> int:
    return int(httpx.URL(url).params["partNumber"])


def stored_parts(api: Darkroom, name: str) -> list[int]:
    """The numbers of the parts that have arrived; none before the upload was begun."""
    if checkpoints.find(api, "lora", name) is None:
        return []
    return [part["number"] for part in checkpoints.parts(api, "lora", name, {})["stored"]]
