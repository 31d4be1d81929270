"""Which files of a WebUI are uploaded, and as which kind."""

from pathlib import Path

import pytest

from darkroom_client import Failure
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
        "embeddings/h.bin": "embedding",
    }
    touch(tmp_path, *expected)
    touch(tmp_path, "models/Lora/.hidden.pt", "models/Lora/.cache/x.pt", "models/Lora/Put Lora here.txt")
    touch(tmp_path, "models/Lora/put_lora_here.pt", "models/Lora/d.png", "models/GFPGAN/x.pth")
    touch(tmp_path, "venv/lora/x.bin", "models/VAE-approx/model.pt")
    assert selected(tmp_path) == {Path(name).name: kind for name, kind in expected.items()}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/w/MODELS/lora/x.pt", "lora"),
        ("/w/models/Lora/vae/x.pt", "lora"),
        ("/data/models/mine/Lora/x.pt", "lora"),
        ("/data/models/w/embeddings/x.pt", "embedding"),
        ("/home/lora/w/models/GFPGAN/x.pth", None),
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


def test_two_files_of_one_name_clash_and_one_file_given_twice_does_not(tmp_path: Path) -> None:
    touch(tmp_path, "models/Lora/a/x.pt", "models/Lora/b/x.pt")
    selection = select([tmp_path, tmp_path / "models/Lora/a/x.pt"])
    assert [file.path.parent.name for file in selection.files] == ["a"]
    assert [file.path.parent.name for file, _ in selection.clashes] == ["b"]


def test_a_file_that_is_no_model_file_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "x.txt")
    for name, words in (("x.txt", "not a model file"), ("y.pt", "no such file")):
        with pytest.raises(Failure, match=words):
            select([tmp_path / name], "lora")
