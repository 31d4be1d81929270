"""The infotext, character for character as the WebUI writes it."""

import json
import re
from typing import Any

import pytest

from darkroom.jobs.contract import PaintedImage, WorkRequest
from worker.infotext import info, infotext, quote
from worker.parameters import settings_of

# How the WebUI's own reader (`re_param` in infotext_utils.py) finds the fields of the last line.
FIELD = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def job(parameters: dict[str, Any], **fields: Any) -> WorkRequest:
    basic = {"job_id": "job-1", "type": "txt2img", "output": "s3://bucket/jobs/job-1/output/", **fields}
    return WorkRequest.model_validate({**basic, "parameters": parameters})


def text_of(parameters: dict[str, Any], **fields: Any) -> str:
    request = job(parameters, **fields)
    return infotext(request, settings_of(request), seed=1, subseed=9, size=(512, 768), version="Darkroom test")


def test_the_infotext_of_txt2img_is_that_of_the_webui() -> None:
    text = text_of(
        {
            "prompt": "a pier, at night",
            "negative_prompt": "people: many",
            "steps": 20,
            "sampler_name": "Euler a",
            "cfg_scale": 7,
        },
        checkpoint={"name": "sd/v1-5-pruned-emaonly.safetensors [6ce0161689]", "s3": "s3://bucket/models/x"},
    )
    assert text == (
        "a pier, at night\n"
        "Negative prompt: people: many\n"
        "Steps: 20, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7.0, Seed: 1, Size: 512x768, "
        "Model hash: 6ce0161689, "
        "Model: v1-5-pruned-emaonly, Version: Darkroom test"
    )


def test_img2img_has_its_strength_and_inpaint_its_mask() -> None:
    text = text_of(
        {
            "prompt": "eyes",
            "steps": 20,
            "sampler_name": "DPM++ 2M",
            "scheduler": "Karras",
            "denoising_strength": 0.5,
            "mask_blur": 8,
            "inpaint_full_res_padding": 32,
            "inpainting_mask_invert": 1,
            "inpainting_fill": 1,
        },
        type="img2img",
        mode="inpaint",
    )
    assert text == (
        "eyes\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.0, Seed: 1, Size: 512x768, "
        "Denoising strength: 0.5, Mask mode: Inpaint not masked, Mask blur: 8, Inpaint area: Only masked, "
        "Masked area padding: 32, Version: Darkroom test"
    )


def test_settings_that_are_off_are_not_mentioned() -> None:
    plain = text_of({"prompt": "a pier"})
    for name in ("Negative prompt", "Denoising", "Mask", "Hires", "VAE", "Clip skip", "Variation", "Tiling"):
        assert name not in plain
    assert "Mask" not in text_of({"inpaint_full_res": False, "mask_blur": 0, "inpainting_fill": 1}, type="img2img")


def test_an_empty_prompt_leaves_no_empty_line() -> None:
    assert text_of({}).startswith("Steps: 50, Sampler: Euler, ")


def test_a_hires_pass_has_its_factor_or_its_size() -> None:
    parameters = {"prompt": "a pier", "enable_hr": True, "denoising_strength": 0.4, "hr_prompt": "a, b"}
    factor = text_of({**parameters, "hr_scale": 1.5, "hr_upscaler": "Latent", "hr_second_pass_steps": 9})
    assert factor.endswith(
        'Denoising strength: 0.4, Hires prompt: "a, b", Hires upscale: 1.5, Hires steps: 9, '
        "Hires upscaler: Latent, Version: Darkroom test"
    )
    assert "Hires resize: 1024x0" in text_of({**parameters, "hr_resize_x": 1024})


def test_the_rarer_settings_have_their_names() -> None:
    text = text_of(
        {
            "subseed_strength": 0.3,
            "seed_resize_from_w": 64,
            "seed_resize_from_h": 96,
            "restore_faces": True,
            "tiling": True,
            "override_settings": {"CLIP_stop_at_last_layers": 2},
        },
        models={"vae": [{"name": "vae-ft-mse.safetensors", "s3": "s3://bucket/models/vae"}]},
    )
    for field in (
        "Face restoration: CodeFormer",
        "VAE: vae-ft-mse.safetensors",
        "Variation seed: 9, Variation seed strength: 0.3",
        "Seed resize from: 64x96",
        "Clip skip: 2, Tiling: True",
    ):
        assert f", {field}, " in text


def test_a_vae_named_none_is_not_mentioned() -> None:
    assert "VAE" not in text_of({}, models={"vae": [{"name": "None", "s3": None}]})


@pytest.mark.parametrize(
    ("value", "quoted"),
    [("Euler a", "Euler a"), ("a, b", '"a, b"'), ("a: b", '"a: b"'), ('1\n"é"', '"1\\n\\"é\\""'), (7.5, "7.5")],
)
def test_only_values_that_would_break_the_line_are_quoted(value: object, quoted: str) -> None:
    assert quote(value) == quoted


def test_the_reader_of_the_webui_finds_every_field() -> None:
    text = text_of({"sampler_name": 'odd, "name": x', "scheduler": "Karras", "steps": 12})
    fields = dict(FIELD.findall(text.splitlines()[-1]))
    assert json.loads(fields["Sampler"]) == 'odd, "name": x'
    assert (fields["Steps"], fields["Schedule type"], fields["Size"]) == ("12", "Karras", "512x768")


def test_the_info_lists_every_picture() -> None:
    request = job({"prompt": "a pier", "seed": 5, "batch_size": 2, "steps": 20, "sampler_index": "DDIM"})
    images = [PaintedImage(key=f"{n}.png", width=512, height=512, seed=5 + n, infotext=f"text {n}") for n in range(2)]
    answer = info(request, settings_of(request), images, "Darkroom test")
    assert answer["all_seeds"] == [5, 6]
    assert answer["infotexts"] == ["text 0", "text 1"]
    assert answer["all_prompts"] == ["a pier", "a pier"]
    assert (answer["seed"], answer["steps"], answer["sampler_name"], answer["cfg_scale"]) == (5, 20, "DDIM", 7.0)
    assert (answer["width"], answer["height"], answer["version"]) == (512, 512, "Darkroom test")
