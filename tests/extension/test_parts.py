"""What needs no browser: values of the WebUI as JSON, the account's file, the zip."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from enum import Enum
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import httpx
import numpy
import pytest
from PIL import Image

from darkroom_client import Refused
from darkroom_webui import account, kept
from darkroom_webui.account import Account
from darkroom_webui.body import Chosen, Surroundings, order_of
from darkroom_webui.cloud import Cloud, CloudError, readable
from darkroom_webui.encoding import png
from darkroom_webui.results import is_name
from darkroom_webui.sending import Parcel
from darkroom_webui.tickets import MAX_TICKETS, Ticket, Tickets
from darkroom_webui.values import Pictures, plain
from tests.extension.conftest import ROOT


class Mode(Enum):
    """A member has a way back to all members, and so to itself."""

    FIRST = "first"


@dataclass
class Unit:
    """What another extension hands over."""

    mode: Mode = Mode.FIRST
    weight: Any = field(default_factory=lambda: numpy.float32(0.5))
    image: Any = field(default_factory=lambda: numpy.zeros((4, 6, 3), numpy.uint8))
    call: Any = print
    itself: Any = None


def test_an_object_becomes_its_public_fields_and_its_pictures_are_set_aside() -> None:
    unit = Unit()
    unit.itself = unit
    pictures = Pictures()
    said = plain([unit, {"a": (1, float("inf"))}], "Unit of X", pictures)
    assert said[0]["mode"] == "first"
    assert said[0]["weight"] == pytest.approx(0.5)
    assert said[0]["image"] == "image:unit_of_x_0_image"
    assert "call" not in said[0]
    assert said[1] == {"a": [1, "Infinity"]}
    json.dumps(said, allow_nan=False)
    assert all(len(name) <= 64 for name in pictures.found)
    assert Image.open(BytesIO(png(pictures.found["unit_of_x_0_image"])), formats=["png"]).size == (6, 4)


def test_a_unit_that_is_off_leaves_its_pictures_at_home() -> None:
    pictures = Pictures()
    assert plain({"enabled": False, "image": Image.new("L", (2, 2))}, "unit", pictures) == {"enabled": False}
    assert pictures.found == {}


def test_two_pictures_never_get_the_same_name() -> None:
    pictures = Pictures()
    long = "x" * 80
    names = [pictures.add(long, Image.new("L", (2, 2))) for _ in range(3)]
    assert len(set(names)) == 3


def order(p: Any, args: tuple[Any, ...] = (0,), **changes: Any) -> Any:
    """The order for a `p` without scripts."""
    around = Surroundings(
        ("prompt", "hr_prompt", "seed", "firstpass_image"), {}, lambda text, _: f"styled {text}", lambda text, _: text
    )
    runner = SimpleNamespace(selectable_scripts=[], alwayson_scripts=[])
    return order_of(p, runner, args, None, Chosen("x.safetensors", **changes), around)


def test_the_second_prompt_stays_empty_where_it_means_the_first() -> None:
    p = SimpleNamespace(prompt="a pier", hr_prompt="", seed="", override_settings={"sd_model_checkpoint": "local"})
    parameters = order(p).body["parameters"]
    assert (parameters["prompt"], parameters["hr_prompt"]) == ("styled a pier", "")
    assert parameters["seed"] == -1
    assert parameters["override_settings"] == {}


def test_the_picture_that_is_enlarged_travels_along() -> None:
    p = SimpleNamespace(prompt="a pier", seed="5", firstpass_image=Image.new("RGB", (8, 8)))
    made = order(p)
    assert made.body["parameters"]["firstpass_image"] == "image:firstpass_image"
    assert list(made.pictures.found) == ["firstpass_image"]


def test_a_batch_of_one_picture_names_it_once() -> None:
    image = Image.new("RGB", (8, 8))
    p = SimpleNamespace(prompt="", init_images=[image] * 4, image_mask=None, seed=1)
    assert order(p).body["parameters"]["init_images"] == ["image:init"]
    p.init_images = [image, image.copy()]
    assert order(p).body["parameters"]["init_images"] == ["image:init", "image:init_2"]


def test_the_account_s_file_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_WEBUI_ACCOUNT", str(tmp_path / "sub" / "webui.json"))
    assert account.read() is None
    account.write(Account("https://a.test/v1", "secret"))
    account.write(Account("https://b.test/v1", "secret"))
    assert account.read() == Account("https://b.test/v1", "secret")
    if os.name == "posix":
        assert stat.S_IMODE(account.account_file().stat().st_mode) == 0o600
    assert "secret" not in repr(account.read())
    (tmp_path / "sub" / "webui.json").write_text("{broken")
    assert account.read() is None


def test_a_kept_click_is_found_again_in_its_stage_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_WEBUI_ACCOUNT", str(tmp_path / "webui.json"))
    account.write(Account("https://a.test/v1", "secret"))
    tickets = [Ticket("me", "img2img"), Ticket("you", "img2img", "interrogate")]
    parcel = Parcel({"parameters": {"init_images": ["image:init"]}}, {"init": b"\x89PNG"})
    for ticket in tickets:
        kept.keep(ticket, parcel)
    found = kept.left()
    assert [(ticket.id, ticket.session, ticket.tab, ticket.kind) for ticket, _ in found] == [
        (ticket.id, ticket.session, ticket.tab, ticket.kind) for ticket in tickets
    ]
    assert [again for _, again in found] == [parcel, parcel]
    # Another stage never gets them, and they are still there when the first one comes back.
    account.write(Account("https://b.test/v1", "secret"))
    assert kept.left() == []
    account.write(Account("https://a.test/v1", "secret"))
    kept.forget(tickets[0])
    assert [ticket.id for ticket, _ in kept.left()] == [tickets[1].id]


def test_a_kept_click_that_is_old_or_broken_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_WEBUI_ACCOUNT", str(tmp_path / "webui.json"))
    account.write(Account("https://a.test/v1", "secret"))
    folder = tmp_path / "webui-waiting"
    kept.keep(Ticket("me", "txt2img"), Parcel({}, {}))
    (file,) = folder.iterdir()
    content = json.loads(file.read_text())
    (folder / "old.json").write_text(json.dumps({**content, "clicked": content["clicked"] - kept.MAX_AGE}))
    (folder / "broken.json").write_text("{")
    (folder / "less.json").write_text(json.dumps({"address": "https://a.test/v1"}))
    assert [ticket.id for ticket, _ in kept.left()] == [file.stem]
    assert list(folder.iterdir()) == [file]


@pytest.mark.parametrize("name", ["../webui.json", "/etc/passwd", "a.png", f"{'0' * 8}-1.png", None, 3])
def test_a_saved_name_leads_to_no_other_folder(name: Any) -> None:
    assert is_name("01900000-0000-7000-8000-000000000000-1.png")
    assert not is_name(name)


def test_errors_say_what_to_do() -> None:
    assert "Address and key" in str(readable(Refused(401, "unauthenticated", "no")))
    assert readable(Refused(429, "too_many_open_jobs", "wait")).later
    assert "does not answer" in str(readable(httpx.ConnectError("x")))


def test_calls_that_hang_do_not_take_all_threads() -> None:
    import threading

    cloud, hang = Cloud(), threading.Event()
    for _ in range(16):
        with pytest.raises(CloudError, match="does not answer"):
            cloud.within(hang.wait, 0.01)
    with pytest.raises(CloudError, match="has not answered the last requests"):
        cloud.within(lambda: None)
    hang.set()


def test_only_ended_tickets_are_forgotten() -> None:
    tickets = Tickets()
    first = tickets.add(Ticket("me", "txt2img", job="a", state="open"))
    for number in range(MAX_TICKETS + 20):
        tickets.add(Ticket("me", "txt2img", job=str(number), state="done"))
    assert tickets.find("me", first.id) is first
    assert len(tickets.of("me")) == MAX_TICKETS
    assert tickets.of("you") == []


def test_the_zip_is_complete_and_the_same_each_time(tmp_path: Path) -> None:
    zips = [tmp_path / "a.zip", tmp_path / "b.zip"]
    for target in zips:
        subprocess.run([sys.executable, "-m", "extension.pack", target], cwd=ROOT, check=True)
    assert zips[0].read_bytes() == zips[1].read_bytes()
    with ZipFile(zips[0]) as archive:
        archive.extractall(tmp_path / "extensions")
    folder = tmp_path / "extensions" / "sd-webui-darkroom"
    code = "from darkroom_webui import carried; carried.find_client(); import darkroom_client as c; print(c.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={"PATH": ""}, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(folder.resolve())
