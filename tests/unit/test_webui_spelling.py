"""How the WebUI spells the name of a model file, and the file that is meant."""

import pytest

from darkroom.webui.spelling import Ambiguous, FileNames, KnownFile

SHA = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"
SHELF = FileNames(
    [
        KnownFile("v1-5.safetensors", folder="SD15", sha256=SHA, old_hash="81761151"),
        KnownFile("v1-5.ckpt"),
        KnownFile("café_noir.safetensors"),
        KnownFile("film_grain.safetensors", folder="styles", aliases=("FilmGrainXL",)),
        KnownFile("model.v2.safetensors", aliases=("old.v1.safetensors",)),
        KnownFile("odd [name].safetensors"),
        KnownFile("kl-f8.vae.pt"),
    ]
)


@pytest.mark.parametrize(
    "spelled",
    [
        "v1-5.safetensors",
        "v1-5",
        "V1-5",
        "V1-5.SafeTensors",
        "v1-5.safetensors [6ce0161689]",
        "v1-5 [6ce0161689]",
        "v1-5.safetensors[6ce0161689]",
        "SD15/v1-5.safetensors [6ce0161689]",
        "SD15\\v1-5.safetensors",
        "sd15/V1-5",
        "SD15_v1-5",
        "  v1-5  ",
        "v1-5.safetensors [0000000000]",
        "6ce0161689",
        "6CE0161689",
        SHA,
        "81761151",
        "renamed.safetensors [6ce0161689]",
    ],
)
def test_a_checkpoint_is_found_by_every_spelling_of_the_webui(spelled: str) -> None:
    assert SHELF.find(spelled) == "v1-5.safetensors"


@pytest.mark.parametrize(
    ("spelled", "file"),
    [
        ("v1-5.ckpt", "v1-5.ckpt"),
        ("cafe\u0301_noir", "café_noir.safetensors"),
        ("CAFE\u0301_NOIR.safetensors", "café_noir.safetensors"),
        ("caf\u00e9_noir", "café_noir.safetensors"),
        ("FilmGrainXL", "film_grain.safetensors"),
        ("filmgrainxl", "film_grain.safetensors"),
        ("styles/film_grain", "film_grain.safetensors"),
        ("styles/sub/film_grain", None),
        ("model.v2", "model.v2.safetensors"),
        ("old.v1", "model.v2.safetensors"),
        ("odd [name]", "odd [name].safetensors"),
        ("odd [name] [6ce0161689]", "odd [name].safetensors"),
        ("kl-f8.vae", "kl-f8.vae.pt"),
        ("SDXL/model.v2", "model.v2.safetensors"),
        ("SDXL/film_grain", None),
    ],
)
def test_other_files_too(spelled: str, file: str | None) -> None:
    assert SHELF.find(spelled) == file


@pytest.mark.parametrize("spelled", ["", "  ", "v1", "v1-5.s", "not_there", "[6ce0161689", "6ce01616", "/", "6ce0"])
def test_what_means_no_file_is_not_guessed(spelled: str) -> None:
    assert SHELF.find(spelled) is None


def test_two_files_of_one_stem_give_the_one_in_the_folder_that_is_named() -> None:
    shelf = FileNames([KnownFile("a-v1.safetensors", folder="A"), KnownFile("b-v1.safetensors", folder="B")])
    assert shelf.find("B/b-v1") == "b-v1.safetensors"
    assert shelf.find("A/b-v1") is None


def test_an_alias_of_two_files_is_refused_with_both_names() -> None:
    shelf = FileNames(
        [KnownFile("one.safetensors", aliases=("same",)), KnownFile("two.safetensors", aliases=("same",))]
    )
    with pytest.raises(Ambiguous) as refused:
        shelf.find("same")
    assert refused.value.names == ("one.safetensors", "two.safetensors")


def test_a_name_counts_before_an_alias() -> None:
    shelf = FileNames([KnownFile("grain.safetensors"), KnownFile("other.safetensors", aliases=("grain",))])
    assert shelf.find("grain") == "grain.safetensors"


def test_a_file_whose_stored_name_is_decomposed_is_found_under_its_own_name() -> None:
    shelf = FileNames([KnownFile("cafe\u0301.safetensors")])
    assert shelf.find("caf\u00e9") == "cafe\u0301.safetensors"


TWINS = FileNames(
    [
        KnownFile("SD15_v1-5.safetensors", folder="SD15", aliases=("v1-5.safetensors",), sha256=SHA),
        KnownFile("SDXL_v1-5.safetensors", folder="SDXL", aliases=("v1-5.safetensors",), sha256="0" * 64),
        KnownFile("better.safetensors", folder="SD15", aliases=("worse.safetensors", "copies/worse.safetensors")),
        KnownFile("top.safetensors", folder=""),
        KnownFile("XL_top.safetensors", folder="XL", aliases=("top.safetensors",)),
        KnownFile("anywhere.safetensors", aliases=("Nowhere",)),
    ]
)


@pytest.mark.parametrize(
    ("spelled", "file"),
    [
        ("SD15/v1-5", "SD15_v1-5.safetensors"),
        ("SDXL/v1-5.safetensors [0000000000]", "SDXL_v1-5.safetensors"),
        ("sdxl\\V1-5", "SDXL_v1-5.safetensors"),
        ("SDXL_v1-5", "SDXL_v1-5.safetensors"),
        ("SDXL/SDXL_v1-5", "SDXL_v1-5.safetensors"),
        ("v1-5 [6ce0161689]", "SD15_v1-5.safetensors"),
        ("XL/v1-5", None),
        ("worse", "better.safetensors"),
        ("SD15/worse", "better.safetensors"),
        ("SD15_worse", "better.safetensors"),
        ("copies/worse", "better.safetensors"),
        ("SDXL/worse", None),
        ("top", "top.safetensors"),
        ("XL/top", "XL_top.safetensors"),
        ("SDXL/top", None),
        ("some/anywhere", "anywhere.safetensors"),
        ("some/nowhere", "anywhere.safetensors"),
    ],
)
def test_a_folder_tells_files_of_one_name_apart(spelled: str, file: str | None) -> None:
    assert TWINS.find(spelled) == file


@pytest.mark.parametrize("spelled", ["v1-5", "V1-5.safetensors", "v1-5 [1234567890]"])
def test_a_name_of_two_files_without_their_folder_is_refused_with_both(spelled: str) -> None:
    with pytest.raises(Ambiguous) as refused:
        TWINS.find(spelled)
    assert refused.value.names == ("SD15_v1-5.safetensors", "SDXL_v1-5.safetensors")


def test_a_file_whose_folder_is_known_counts_before_one_that_may_lie_anywhere() -> None:
    shelf = FileNames([KnownFile("x.safetensors"), KnownFile("A_x.pt", folder="A", aliases=("x.pt",))])
    assert [shelf.find(spelled) for spelled in ("A/x", "B/x", "x")] == ["A_x.pt", "x.safetensors", "x.safetensors"]


def test_former_names_are_the_latest_file_names_that_no_other_file_has_today() -> None:
    older = tuple(f"ink{number}.safetensors" for number in range(10))
    files = FileNames([KnownFile("fine ink.safetensors", aliases=("InkXL", *older, "a.pt")), KnownFile("a.pt")])
    assert files.former_names("fine ink.safetensors") == older[-8:]
    assert files.former_names("a.pt") == files.former_names("not there.pt") == ()
