"""The text under a picture, read back into a body."""

import json
from typing import Any

import pytest

from darkroom.webui.infotext import filled_in

TEXT = """a pier at dusk, <lora:grain:0.8>
second line
Negative prompt: blurry
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 5, Size: 640x384, Model hash: 6ce0161689, \
Model: v1-5, VAE: kl.safetensors, Denoising strength: 0.4, Clip skip: 2, Hires upscale: 2, Hires upscaler: 4x-Ultra, \
Hires prompt: "a lamp, <lora:light:1>", Version: v1.10.1"""


def test_what_a_body_leaves_out_is_filled_in() -> None:
    body = filled_in({"infotext": TEXT}, "txt2img")
    assert body == {
        "infotext": TEXT,
        "prompt": "a pier at dusk, <lora:grain:0.8>\nsecond line",
        "negative_prompt": "blurry",
        "steps": 20,
        "sampler_name": "DPM++ 2M",
        "scheduler": "Karras",
        "cfg_scale": 7.0,
        "seed": 5,
        "width": 640,
        "height": 384,
        "denoising_strength": 0.4,
        "enable_hr": True,
        "hr_scale": 2.0,
        "hr_upscaler": "4x-Ultra",
        "hr_prompt": "a lamp, <lora:light:1>",
        "override_settings": {
            "sd_model_checkpoint": "6ce0161689",
            "sd_vae": "kl.safetensors",
            "CLIP_stop_at_last_layers": 2,
        },
    }


def test_what_a_body_says_counts() -> None:
    said = {"prompt": "a lamp", "seed": 9, "override_settings": {"sd_vae": "None"}, "enable_hr": False}
    body = filled_in({"infotext": TEXT, **said}, "txt2img")
    assert (body["prompt"], body["seed"], body["enable_hr"]) == ("a lamp", 9, False)
    assert body["override_settings"]["sd_vae"] == "None"
    assert body["override_settings"]["sd_model_checkpoint"] == "6ce0161689"


@pytest.mark.parametrize("body", [{}, {"infotext": None}, {"infotext": "  "}, {"prompt": "x", "infotext": 5}])
def test_without_an_infotext_nothing_changes(body: dict[str, Any]) -> None:
    assert filled_in(body, "txt2img") == body


def test_a_text_without_parameters_is_a_prompt() -> None:
    assert filled_in({"infotext": "a pier\nby night: late"}, "txt2img")["prompt"] == "a pier\nby night: late"


@pytest.mark.parametrize(
    "wrong", ["Steps: many, Seed: 1e999, Size: 5, CFG scale: ?", 'Hires prompt: "\\q", a: b, c: d']
)
def test_values_that_cannot_be_read_are_left_out(wrong: str) -> None:
    json.dumps(filled_in({"infotext": f"a pier\n{wrong}"}, "img2img"), allow_nan=False)


def test_networks_that_only_the_last_line_names_are_filled_in() -> None:
    text = "a pier\nSteps: 20, Seed: 5, Hypernet: net, Hypernet strength: 0.5, Module 1: ae, Hires Module 1: clip_l"
    body = filled_in({"infotext": text}, "txt2img")
    assert body["prompt"] == "a pier<hypernet:net:0.5>"
    assert body["override_settings"] == {"forge_additional_modules": ["ae"]}
    assert body["hr_additional_modules"] == ["clip_l"]


@pytest.mark.parametrize("text", ["a" * 100_000, "a " * 50_000, "a" + " " * 100_000 + "b", 'ab: "' + 'b\\"' * 50_000])
def test_no_infotext_takes_the_square_of_its_length(text: str) -> None:
    # The first of them took minutes.
    assert filled_in({"infotext": text}, "txt2img")["infotext"] == text
