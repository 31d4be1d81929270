"""Which files of a WebUI are uploaded, and as which kind."""

from pathlib import Path

import pytest

from darkroom_client import Failure, model_folders
from darkroom_client.model_files import kind_of, select


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"0" * 20)


def selected(*paths: Path) -> dict[str, str]:
    return {file.name: file.kind for file in select(paths).files}


def test_the_model_files_of_a_webui_get_their_kinds_from_its_folders(tmp_path: Path) -> None:
    expected = {
        "models/Stable-diffusion/a.safetensors": "stable-diffusion",
        "models/Stable-diffusion/sub/b.CKPT": "stable-diffusion",
        "models/Stable-diffusion/b.vae.pt": "vae",
        "models/VAE/c.pt": "vae",
        "models/Lora/d.safetensors": "lora",
        "models/LyCORIS/e.safetensors": "lora",
        "models/hypernetworks/f.pt": "hypernetwork",
        "models/ControlNet/g.pth": "controlnet",
        "models/ESRGAN/4x.pth": "upscaler",
        "models/text_encoder/t5.safetensors": "text_encoder",
        "embeddings/h.bin": "embedding",
    }
    touch(tmp_path, *expected)
    touch(tmp_path, "models/Lora/.hidden.pt", "models/Lora/.cache/x.pt", "models/Lora/Put Lora here.txt")
    touch(tmp_path, "models/Lora/put_lora_here.pt", "models/Lora/d.png", "models/Codeformer/x.pth")
    touch(tmp_path, "venv/lora/x.bin", "models/VAE-approx/model.pt")
    assert selected(tmp_path) == {Path(name).name: kind for name, kind in expected.items()}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/w/MODELS/lora/x.pt", "lora"),
        ("/w/models/Lora/vae/x.pt", "lora"),
        ("/data/models/mine/Lora/x.pt", "lora"),
        ("/data/models/w/embeddings/x.pt", "embedding"),
        ("/home/lora/w/models/ESRGAN/x.pth", "upscaler"),
        ("/home/lora/w/models/Codeformer/x.pth", None),
        ("/home/downloads/x.pt", None),
    ],
)
def test_the_kind_comes_from_the_folder(path: str, kind: str | None) -> None:
    assert kind_of(Path(path)) == kind


def test_a_single_file_needs_a_kind_and_the_given_one_wins(tmp_path: Path) -> None:
    touch(tmp_path, "x.pt", "models/Lora/y.pt")
    with pytest.raises(Failure, match="--kind"):
        select([tmp_path / "x.pt"])
    files = select([tmp_path / "x.pt", tmp_path / "models/Lora/y.pt"], "vae").files
    assert [file.kind for file in files] == ["vae", "vae"]


def test_a_given_kind_is_used_for_a_folder_without_one(tmp_path: Path) -> None:
    touch(tmp_path, "some/x.pt")
    with pytest.raises(Failure, match="--kind"):
        select([tmp_path / "some"])
    assert [file.kind for file in select([tmp_path / "some"], "lora").files] == ["lora"]


def test_two_files_of_one_name_are_both_selected_and_one_file_given_twice_once(tmp_path: Path) -> None:
    touch(tmp_path, "models/Lora/a/x.pt", "models/Lora/b/x.pt")
    selection = select([tmp_path, tmp_path / "models/Lora/a/x.pt"])
    assert [(file.name, file.folder) for file in selection.files] == [("x.pt", "a"), ("x.pt", "b")]
    assert selection.left_out == []


@pytest.mark.parametrize(
    ("given", "file", "folder"),
    [
        (".", "models/Lora/x.pt", ""),
        (".", "models/Lora/styles/new/x.pt", "styles/new"),
        ("models/Lora/styles", "models/Lora/styles/new/x.pt", "styles/new"),
        ("models/Lora/styles/x.pt", "models/Lora/styles/x.pt", "styles"),
        (".", "embeddings/x.pt", ""),
        ("mine", "mine/new/x.pt", "new"),
        ("x.pt", "x.pt", None),
    ],
)
def test_the_folder_is_the_one_below_that_of_the_kind(
    tmp_path: Path, given: str, file: str, folder: str | None
) -> None:
    touch(tmp_path, file)
    assert [one.folder for one in select([tmp_path / given], "lora" if "models" not in file else None).files] == [
        folder
    ]


def test_links_to_folders_and_files_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, "disk/styles/x.pt", "disk/y.pt", "w/models/Lora/z.pt")
    loras = tmp_path / "w/models/Lora"
    (loras / "big").symlink_to(tmp_path / "disk")
    (loras / "one.pt").symlink_to(tmp_path / "disk/y.pt")
    (tmp_path / "w/models/VAE").symlink_to(tmp_path / "disk/styles")
    found = {(file.kind, file.folder, file.name) for file in select([tmp_path / "w"]).files}
    assert found == {
        ("lora", "", "z.pt"),
        ("lora", "", "one.pt"),
        ("lora", "big", "y.pt"),
        ("lora", "big/styles", "x.pt"),
        ("vae", "", "x.pt"),
    }


def test_a_folder_goes_by_its_own_name_and_not_by_that_of_a_link_to_it(tmp_path: Path) -> None:
    touch(tmp_path, "models/Lora/own/x.pt")
    (tmp_path / "models/Lora/a_link").symlink_to(tmp_path / "models/Lora/own")
    selection = select([tmp_path])
    assert [file.folder for file in selection.files] == ["own"]
    assert [(one.path.name, one.reason) for one in selection.left_out] == [("a_link", model_folders.READ_ALREADY)]


def test_loops_end_and_everything_that_is_left_out_is_counted(tmp_path: Path) -> None:
    touch(tmp_path, "models/Lora/x.pt", "models/Lora/sub/y.pt", "models/Lora/.cache/z.pt", "models/Lora/x.png")
    touch(tmp_path, "models/Lora/x.txt", "models/Lora/put_lora_here.pt", "models/Codeformer/c.pth")
    loras = tmp_path / "models/Lora"
    (loras / "sub/up").symlink_to(loras)
    (loras / "sub/top").symlink_to(tmp_path)
    (loras / "itself").symlink_to(loras / "itself")
    (loras / "gone.pt").symlink_to(tmp_path / "nothing.pt")
    (loras / "gone").symlink_to(tmp_path / "nothing")
    (loras / "sub/x.pt").symlink_to(loras / "x.pt")
    selection = select([tmp_path])
    assert [file.path.relative_to(loras).as_posix() for file in selection.files] == ["x.pt", "sub/y.pt"]
    assert model_folders.counted(selection.left_out) == {
        model_folders.BROKEN_LINK: 3,
        model_folders.LOOP: 2,
        model_folders.NO_MODEL: 2,
        model_folders.HIDDEN: 1,
        model_folders.PLACEHOLDER: 1,
        model_folders.NO_KIND: 1,
        model_folders.SAME_FILE: 1,
    }


def test_a_link_that_leads_nowhere_is_refused_when_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "x.pt").symlink_to(tmp_path / "nothing.pt")
    with pytest.raises(Failure, match="leads to no file"):
        select([tmp_path / "x.pt"], "lora")


def test_a_file_that_is_no_model_file_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "x.txt")
    for name, words in (("x.txt", "not a model file"), ("y.pt", "no such file")):
        with pytest.raises(Failure, match=words):
            select([tmp_path / name], "lora")
