"""What the engine tells of a job: the text under its pictures, and the files that they were made of."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from tests.worker.files import checkpoint_file, folder
from tests.worker.jobs import engine, file, paint, photo, request_of, task_of
from worker.engines.diffusers import tiny
from worker.release import RELEASE

ATTENTION = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"


def sha256(path: Path, begin: int = 0) -> str:
    return hashlib.sha256(path.read_bytes()[begin:]).hexdigest()


@cache
def lora(name: str, **metadata: str) -> Path:
    generator = torch.Generator().manual_seed(len(name))
    tensors = {
        f"{ATTENTION}.lora_down.weight": torch.randn(4, 32, generator=generator),
        f"{ATTENTION}.lora_up.weight": torch.randn(32, 4, generator=generator),
        "bundle_emb.grit.string_to_param.*": torch.randn(2, 32, generator=generator),
    }
    path = folder() / f"{name}.safetensors"
    save_file(tensors, path, metadata)
    return path


@cache
def embedding() -> Path:
    path = folder() / "easyneg.safetensors"
    save_file({"emb_params": torch.randn(2, 32, generator=torch.Generator().manual_seed(3))}, path)
    return path


@cache
def vae() -> Path:
    return tiny.write(folder() / "kl-tiny.safetensors", tiny.vae())


def content_hash(path: Path) -> str:
    """As the WebUI hashes a LoRA: what stands behind the header."""
    begin = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    return sha256(path, begin)[:12]


def text_of(checkpoint: str = "tiny-sd15", **what: Any) -> str:
    [painted] = paint(checkpoint, **what)
    return painted.infotext


def options(**more: Any) -> dict[str, Any]:
    return {"randn_source": "CPU", **more}


def test_a_whole_job_is_told_as_the_webui_tells_it() -> None:
    grain = lora("grain")
    models = {"lora": [file(grain.name)], "embedding": [file(embedding().name)], "vae": [file(vae().name)]}
    text = text_of(
        prompt="a (pier) <lora:grain:0.8> grit # nobody reads this",
        negative_prompt="easyneg",
        sampler_name="Euler a",
        width=68,
        models=models,
        subseed=3,
        subseed_strength=0.5,
        override_settings=options(
            emphasis="No norm", eta_noise_seed_delta=31337, CLIP_stop_at_last_layers=2, eta_ancestral=0.5
        ),
    )
    assert text == (
        "a (pier) <lora:grain:0.8> grit \n"
        "Negative prompt: easyneg\n"
        "Steps: 4, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7.0, Seed: 7, Size: 68x64, "
        f"Model hash: {sha256(checkpoint_file('tiny-sd15'))[:10]}, Model: tiny-sd15, "
        f"VAE hash: {sha256(vae())[:10]}, VAE: kl-tiny.safetensors, Variation seed: 3, Variation seed strength: 0.5, "
        "Clip skip: 2, ENSD: 31337, RNG: CPU, "
        f'Lora hashes: "grain: {content_hash(grain)}", '
        f'TI hashes: "grit: grain, easyneg: {sha256(embedding())[:12]}", Emphasis: No norm, Eta: 0.5, '
        f"Version: Darkroom diffusers {RELEASE}"
    )


def test_a_lora_has_the_hash_that_it_states() -> None:
    stated = lora("stated", sshs_model_hash="ab" * 32)
    wrong = lora("wrong", sshs_model_hash="not a hash, nor: one")
    models = {"lora": [file(stated.name), file(wrong.name)]}
    text = text_of(prompt="<lora:stated:1><lora:wrong:1>", models=models)
    assert f'Lora hashes: "stated: abababababab, wrong: {content_hash(wrong)}"' in text


def test_automatic_is_told_as_the_schedule_that_it_means() -> None:
    assert "Sampler: DPM++ 2M, Schedule type: Karras" in text_of(sampler_name="DPM++ 2M")
    assert "Sampler: DPM++ 2M, Schedule type: SGM Uniform" in text_of(sampler_name="DPM++ 2M SGM Uniform")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"sampler_name": "Euler", "s_churn": 4.0, "s_tmin": 0.1}, "Sigma churn: 4.0, Sigma tmin: 0.1"),
        ({"sampler_name": "DDIM", "eta": 0.7}, "Eta DDIM: 0.7"),
        (
            {"scheduler": "Karras", "override_settings": options(rho=5, sigma_min=0.1)},
            "Schedule min sigma: 0.1, Schedule rho: 5.0",
        ),
        ({"override_settings": options(s_min_uncond=4)}, "NGMS: 4.0"),
        ({"override_settings": options(s_min_uncond=4, s_min_uncond_all=True)}, "NGMS: 4.0, NGMS all steps: True"),
        ({"override_settings": options(skip_early_cond=0.3)}, "Skip Early CFG: 0.3"),
        ({"override_settings": options(always_discard_next_to_last_sigma=True)}, "Discard penultimate sigma: True"),
    ],
)
def test_what_is_special_about_the_sampling_is_told(fields: dict[str, Any], told: str) -> None:
    assert f", {told}, Version" in text_of(**fields)


def test_what_changed_nothing_is_not_told() -> None:
    # No level is as low as this, the sampler adds no noise, and no bracket stands in the prompt.
    text = text_of(override_settings=options(s_min_uncond=0.001, eta_noise_seed_delta=5, emphasis="No norm"), eta=0.5)
    for name in ("NGMS", "ENSD", "Emphasis", "Eta"):
        assert name not in text


def test_a_second_pass_and_a_refiner_are_told() -> None:
    second = checkpoint_file("tiny-sdxl-v")
    refiner = checkpoint_file("tiny-sdxl-refiner")
    models = {"stable-diffusion": [file(second.name), file(refiner.name)]}
    text = text_of(
        "tiny-sdxl",
        models=models,
        enable_hr=True,
        hr_scale=1.5,
        hr_upscaler="Latent",
        hr_second_pass_steps=4,
        hr_sampler_name="DPM++ 2M",
        hr_checkpoint_name="tiny-sdxl-v",
        hr_prompt="a lamp",
        denoising_strength=0.9,
        refiner_checkpoint="tiny-sdxl-refiner",
        refiner_switch_at=0.5,
    )
    assert (
        f"Denoising strength: 0.9, RNG: CPU, Hires checkpoint: tiny-sdxl-v [{sha256(second)[:10]}], "
        "Hires sampler: DPM++ 2M, Hires prompt: a lamp, Hires schedule type: Karras, Hires upscale: 1.5, "
        f"Hires steps: 4, Hires upscaler: Latent, Refiner: tiny-sdxl-refiner [{sha256(refiner)[:10]}], "
        "Refiner switch at: 0.5, Version"
    ) in text


def test_an_inpainting_model_tells_its_mask_and_a_picture_its_hash() -> None:
    start = photo()
    text = text_of(
        "tiny-sd15-inpainting",
        job="img2img",
        mode="inpaint",
        pictures={"init": start, "mask": photo(seed=2)},
        override_settings=options(save_init_img=True),
        initial_noise_multiplier=0.9,
    )
    expected = hashlib.md5(start.tobytes()).hexdigest()  # noqa: S324 - the WebUI's own choice
    assert f"Denoising strength: 0.75, Conditional mask weight: 1.0, Init image hash: {expected}, RNG: CPU" in text
    assert text.endswith(
        "Mask blur: 4, Inpaint area: Only masked, Masked area padding: 0, Masked content: fill, Noise multiplier: 0.9, "
        f"Version: Darkroom diffusers {RELEASE}"
    )


def test_every_file_that_was_used_is_named_with_its_hash() -> None:
    grain = lora("grain")
    models = {"lora": [file(grain.name)], "embedding": [file(embedding().name)], "vae": [file(vae().name)]}
    request = request_of(prompt="a pier <lora:grain:1>", negative_prompt="easyneg", models=models)
    task = task_of(request)
    list(engine().paint(task))
    told = engine().components(task)
    assert (told.engine, told.version, told.precision) == ("diffusers", RELEASE, "float32")
    assert {(each.kind, each.name, each.sha256) for each in told.files} == {
        ("stable-diffusion", "tiny-sd15.safetensors", sha256(checkpoint_file("tiny-sd15"))),
        ("vae", vae().name, sha256(vae())),
        ("lora", grain.name, sha256(grain)),
        ("embedding", embedding().name, sha256(embedding())),
    }
    json.loads(told.model_dump_json())
