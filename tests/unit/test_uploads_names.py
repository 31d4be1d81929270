"""What files are called on the shelf when others have their names."""

from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from darkroom_client import model_folders, model_names
from darkroom_client.model_files import select
from tests.support.shelf import row_of


def write(root: Path, **contents: str) -> None:
    """Write one file for each path below the folder of the LoRAs; `__` in it stands for a slash."""
    for name, content in contents.items():
        path = root / "models/Lora" / f"{name.replace('__', '/')}.pt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def chosen(root: Path, *rows: dict[str, Any]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The name on the shelf and the aliases of each file, by its path below the folder of the LoRAs."""
    shelf: Any = list(rows)
    selection = model_names.choose(select([root]), shelf)
    return {
        file.path.relative_to(root / "models/Lora").as_posix(): (file.name, file.aliases) for file in selection.files
    }


def row(name: str, **changes: Any) -> dict[str, Any]:
    return row_of("lora", name, **{"status": "active", "size": 3, **changes})


def test_files_of_one_name_get_their_folders_before_it(tmp_path: Path) -> None:
    write(tmp_path, SD15__x="one", SDXL__new__x="two", y="three")
    assert chosen(tmp_path) == {
        "SD15/x.pt": ("SD15_x.pt", ("x.pt",)),
        "SDXL/new/x.pt": ("SDXL_new_x.pt", ("x.pt",)),
        "y.pt": ("y.pt", ()),
    }


def test_a_file_right_in_the_folder_of_its_kind_keeps_its_name(tmp_path: Path) -> None:
    write(tmp_path, x="one", SDXL__x="two")
    assert chosen(tmp_path) == {"x.pt": ("x.pt", ()), "SDXL/x.pt": ("SDXL_x.pt", ("x.pt",))}


def test_a_second_upload_finds_the_names_of_the_first(tmp_path: Path) -> None:
    write(tmp_path, SD15__x="one", SDXL__x="two")
    rows = [row("x.pt", folder="SD15"), row("SDXL_x.pt", folder="SDXL", aliases=["x.pt"])]
    assert {path: name for path, (name, _) in chosen(tmp_path, *rows).items()} == {
        "SD15/x.pt": "x.pt",
        "SDXL/x.pt": "SDXL_x.pt",
    }


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ({"folder": "SDXL"}, "SD15_x.pt"),
        ({"folder": ""}, "SD15_x.pt"),
        ({"folder": "SDXL", "status": "fail"}, "x.pt"),
        ({"folder": "SD15"}, "x.pt"),
        ({"folder": "SD15", "size": 99}, "x.pt"),  # the upload tells that it is another file
        ({"folder": None}, "x.pt"),  # from before folders were kept
        ({"folder": None, "size": 99}, "SD15_x.pt"),
    ],
)
def test_a_name_on_the_shelf_is_left_to_the_file_that_has_it(tmp_path: Path, there: dict[str, Any], name: str) -> None:
    write(tmp_path, SD15__x="one")
    assert chosen(tmp_path, row("x.pt", **there))["SD15/x.pt"][0] == name


def test_a_file_that_was_renamed_on_the_shelf_is_found_by_folder_and_alias(tmp_path: Path) -> None:
    write(tmp_path, SD15__x="one")
    assert chosen(tmp_path, row("better.pt", folder="SD15", aliases=["x.pt"]))["SD15/x.pt"][0] == "better.pt"


def test_the_same_content_under_the_same_name_goes_once_with_both_paths(tmp_path: Path) -> None:
    write(tmp_path, a__x="one", b__x="one", c__y="one")
    selection = model_names.choose(select([tmp_path]), [])
    assert [(file.name, file.folder, file.aliases) for file in selection.files] == [
        ("x.pt", "a", ("b/x.pt",)),
        ("y.pt", "c", ()),
    ]
    assert [(one.path.parent.name, one.reason) for one in selection.left_out] == [("b", model_folders.SAME_CONTENT)]


def test_a_name_from_a_mac_is_composed(tmp_path: Path) -> None:
    write(tmp_path, **{normalize("NFD", "né"): "one"})
    [(name, _)] = chosen(tmp_path).values()
    assert name == normalize("NFC", "né.pt")
