"""Where a WebUI body names models, and where it does not."""

from typing import Any

import pytest

from darkroom.webui.mentions import Mention, mentions
from darkroom.webui.spelling import FileNames

TAG = "a pier <lora:grain:0.8>"
PLOT = "X/Y/Z plot"


def named(fields: dict[str, Any], call: str = "txt2img") -> list[tuple[str, str]]:
    """Kind and name of everything that a body names."""
    found = mentions(call, fields)
    settings = [mention for mention in (found.checkpoint, found.vae) if mention]
    return [("|".join(mention.kinds), mention.name) for mention in (*settings, *found.models)]


def always(title: str, *args: Any) -> dict[str, Any]:
    return {"alwayson_scripts": {title: {"args": list(args)}}}


def plot(*args: Any) -> dict[str, Any]:
    return {"script_name": PLOT, "script_args": list(args)}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"prompt": TAG}, [("lora", "grain")]),
        ({"prompt": "<lyco:a:1:te=0.5> <hypernet:b> <lora:a b>"},
         [("lora", "a"), ("hypernetwork", "b"), ("lora", "a b")]),
        ({"prompt": "x <lora:a:1> and <lora:a:0.5>"}, [("lora", "a")]),
        ({"hr_prompt": TAG, "enable_hr": True}, [("lora", "grain")]),
        ({"hr_checkpoint_name": "v1-5", "enable_hr": True}, [("stable-diffusion", "v1-5")]),
        ({"hr_upscaler": "R-ESRGAN 4x+", "enable_hr": True}, [("upscaler", "R-ESRGAN 4x+")]),
        ({"refiner_checkpoint": "xl_refiner.safetensors [7440042bbd]"},
         [("stable-diffusion", "xl_refiner.safetensors [7440042bbd]")]),
        ({"override_settings": {"sd_model_checkpoint": "v1-5", "sd_vae": "kl.pt"}},
         [("stable-diffusion", "v1-5"), ("vae", "kl.pt")]),
        ({"override_settings": {"sd_lora": "grain", "sd_hypernetwork": "net"}},
         [("lora", "grain"), ("hypernetwork", "net")]),
        ({"override_settings": {"forge_additional_modules": ["/models/VAE/ae.safetensors", "clip_l.safetensors"]}},
         [("text_encoder|vae", "ae.safetensors"), ("text_encoder|vae", "clip_l.safetensors")]),
        (always("Refiner", True, "xl_refiner", 0.8), [("stable-diffusion", "xl_refiner")]),
        (always("ControlNet", {"model": "control_v11p_sd15_mlsd [aca30ff0]"}),
         [("controlnet", "control_v11p_sd15_mlsd [aca30ff0]")]),
        (always("ADetailer", True, False, {"ad_model": "face.pt", "ad_prompt": TAG}), [("lora", "grain")]),
        (always("ADetailer", True, {"ad_use_checkpoint": True, "ad_checkpoint": "v1-5",
                                    "ad_use_vae": True, "ad_vae": "kl.pt", "ad_controlnet_model": "tile"}),
         [("stable-diffusion", "v1-5"), ("vae", "kl.pt"), ("controlnet", "tile")]),
        (always("Some detailer", {"deep": [{"prompts": ["x", TAG]}]}), [("lora", "grain")]),
        (always("Some detailer", 3, TAG), [("lora", "grain")]),
        (plot(11, "v1-5.safetensors, other", [], 0, "", []),
         [("stable-diffusion", "v1-5.safetensors"), ("stable-diffusion", "other")]),
        (plot(0, "", [], "Checkpoint name", "", ["v1-5"], "VAE", '"kl,1.pt",None', []),
         [("stable-diffusion", "v1-5"), ("vae", "kl,1.pt")]),
        (plot("Hires upscaler", "Latent, 4x-UltraSharp", []), [("upscaler", "4x-UltraSharp")]),
        (plot(7, "<lora:a:1>,<lora:b:1>", []), [("lora", "a"), ("lora", "b")]),
        ({"script_name": "Prompts from file or textbox",
          "script_args": [False, False, "start", "a pier\n--sd_model v1-5 --prompt \"a <lora:grain:1>\""]},
         [("stable-diffusion", "v1-5"), ("lora", "grain")]),
        ({"script_name": "SD upscale", "script_args": ["", 64, "4x-UltraSharp", 2]}, [("upscaler", "4x-UltraSharp")]),
        (plot("Checkpoint name", 'v1-5, "a, b"', []), [("stable-diffusion", "v1-5"), ("stable-diffusion", "a, b")]),
        (plot(12, "", ["v1-5"]), [("stable-diffusion", "v1-5")]),
        (plot("[ControlNet] Model", "", ["tile [a371b31b]"]), [("controlnet", "tile [a371b31b]")]),
        (plot(11, "text", ["list"], *[0, "", []] * 2, *[False] * 7, 0, True), [("stable-diffusion", "text")]),
        (plot(11, "text", ["list"], *[0, "", []] * 2, *[False] * 7, 0, False), [("stable-diffusion", "list")]),
        ({"prompt": TAG, **plot("Prompt S/R", "grain, grain-2", [])}, [("lora", "grain"), ("lora", "grain-2")]),
        ({"prompt": "<lora:a-01:1>", **plot(7, "01,02", [], 7, "a-,b-", [])},
         [("lora", "a-01"), ("lora", "a-02"), ("lora", "b-01"), ("lora", "b-02")]),
        ({"prompt": "<lora:a=b=c:x=1:1>"}, [("lora", "a=b=c")]),
        ({"prompt": "<lora:<lora:a:1>:1>"}, [("lora", "<lora")]),
        ({"script_name": "Prompts from file or textbox",
          "script_args": [False, False, "end", "--prompt a <lora:x:1> --steps 5\n--odd <lora:y:1>", False]},
         [("lora", "x"), ("lora", "y")]),
    ],
)  # fmt: skip
def test_every_place_that_names_a_model_is_found(fields: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert named(fields) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"hr_prompt": TAG},
        {"hr_prompt": TAG, "enable_hr": False, "hr_checkpoint_name": "gone", "hr_upscaler": "gone"},
        {"prompt": TAG, "disable_extra_networks": True},
        {"prompt": f"a pier\n# {TAG}\n"},
        {"prompt": f"a pier # {TAG}"},
        {"negative_prompt": TAG},
        {"prompt": "<LORA:grain:1> <unknown:grain:1> <lora::1> lora:grain"},
        {"refiner_checkpoint": "None"},
        {"refiner_checkpoint": ""},
        {"refiner_checkpoint": None},
        {"enable_hr": True, "hr_upscaler": "Latent (nearest-exact)", "hr_checkpoint_name": "Use same checkpoint"},
        {"enable_hr": True, "hr_upscaler": "Lanczos"},
        {"override_settings": {"sd_lora": "None", "sd_model_checkpoint": None, "sd_vae": ""}},
        always("Refiner", False, "gone", 0.8),
        always("ControlNet", {"enabled": False, "model": "gone"}),
        always("ControlNet", {"model": "None"}, {"module": "canny"}),
        always("ADetailer", False, {"ad_prompt": TAG}),
        always("ADetailer", True, {"ad_tab_enable": False, "ad_prompt": TAG, "ad_model": "face.pt"}),
        always("ADetailer", True, {"ad_model": "None", "ad_prompt": TAG}),
        always("ADetailer", True, {"ad_model": "face.pt", "ad_checkpoint": "gone", "ad_vae": "gone"}),
        always("ADetailer", True, {"ad_model": "face.pt", "ad_negative_prompt": TAG}),
        plot("Nothing", "", [], 4, "10, 20", []),
        {"script_name": "", "script_args": [TAG]},
        {"script_name": None, "script_args": [TAG]},
        plot("VAE", "auto, Automatic, None", []),
        plot("Checkpoint name", "a\rb", []),
        {"prompt": TAG, "disable_extra_networks": 1},
        {"prompt": TAG, "disable_extra_networks": "true"},
        {"enable_hr": True, "hr_additional_modules": ["Built-in"]},
        always("ADetailer", True, {"ad_model": "face.pt", "ad_controlnet_model": "Passthrough"}),
        always("ControlNet", {"enabled": 0, "model": "gone"}, {"enabled": "false", "model": "gone"}),
        always("AnimateDiff", {"enable": False, "prompt_map": TAG}),
        {"script_name": "Prompts from file or textbox",
         "script_args": [False, False, "start", f'--prompt "a pier" --negative_prompt "{TAG}"']},
        {"alwayson_scripts": {"odd": None, "odder": {"args": {}}, "oddest": {"args": []}}},
    ],
)  # fmt: skip
def test_what_the_webui_would_not_load_is_left_alone(fields: dict[str, Any]) -> None:
    assert named(fields) == []


def test_comments_can_be_switched_off() -> None:
    body = {"prompt": f"a pier # {TAG}", "override_settings": {"enable_prompt_comments": False}}
    assert named(body) == [("lora", "grain")]


def test_embeddings_are_looked_for_in_all_prompts_without_tags() -> None:
    body = {
        "prompt": "a pier <lora:grain:1>",
        "negative_prompt": "EasyNegative",
        "enable_hr": True,
        "hr_prompt": "a lamp",
        **always("ADetailer", True, {"ad_model": "face.pt", "ad_negative_prompt": "bad_hands"}),
    }
    found = " ".join(mentions("txt2img", body).words)
    assert all(word in found for word in ("EasyNegative", "a lamp", "bad_hands"))
    assert "grain" not in found


def test_a_setting_that_the_webui_ignores_when_it_is_missing_is_not_required() -> None:
    body = {"override_settings": {"sd_lora": "gone", "upscaler_for_img2img": "gone"}}
    assert [mention.required for mention in mentions("img2img", body).models] == [False, False]


def test_what_replaced_words_name_is_required_where_the_axis_is_certain() -> None:
    for number, required in ((7, True), (8, False)):
        made = mentions("txt2img", {"prompt": TAG, **plot(number, "grain, gone", [])}).models
        assert [(mention.name, mention.required) for mention in made] == [("grain", True), ("gone", required)]


def test_a_sampler_where_forge_has_samplers_is_not_required_to_be_a_checkpoint() -> None:
    found = mentions("txt2img", plot(11, "", ["Euler a", "DPM++ 2M Karras", "v1-5"])).models
    assert [mention.required for mention in found] == [False, False, True]


def test_the_upscaler_of_tiles_counts_in_img2img_alone() -> None:
    body = always("Tiled Diffusion", True, "MultiDiffusion", *[1] * 8, "4x-UltraSharp", 2)
    assert named(body, "img2img") == [("upscaler", "4x-UltraSharp")]
    assert named(body, "txt2img") == []


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "<lora:" * 20_000},
        {"prompt": "<" * 100_000},
        {"refiner_checkpoint": "a" + " " * 100_000 + "["},
        {"prompt": TAG, **plot(*[7, "a," + "a" * 20_000, []] * 3)},
        {"prompt": TAG, **plot(*[7, ",".join(f"r{n}" for n in range(10_000)), []] * 3)},
        always("Deep", [["x"] * 50_000]),
    ],
)
def test_no_text_takes_the_square_of_its_length(fields: dict[str, Any]) -> None:
    # Each of them took from half a minute to hours, or all the memory: the test would not end.
    shelf = FileNames([])
    assert not any(shelf.find(mention.name) for mention in mentions("txt2img", fields).models)


def test_the_numbers_of_axes_differ_between_the_tabs() -> None:
    assert named(plot(10, "v1-5", []), "img2img") == [("stable-diffusion", "v1-5")]
    assert named(plot(10, "Euler", []), "txt2img") == []


def test_a_mention_says_where_it_stands() -> None:
    body = always("ControlNet", {"enabled": False}, {"model": "canny"})
    (mention,) = mentions("txt2img", body).models
    assert mention == Mention(("controlnet",), "canny", ("alwayson_scripts", "ControlNet", "args", 1, "model"))


def test_extras_name_upscalers_as_far_as_they_are_seen() -> None:
    body = {"upscaler_1": "R-ESRGAN 4x+", "upscaler_2": "gone", "extras_upscaler_2_visibility": 0}
    assert named(body, "extras") == [("upscaler", "R-ESRGAN 4x+")]
    assert named({**body, "extras_upscaler_2_visibility": 0.5}, "extras")[1] == ("upscaler", "gone")
