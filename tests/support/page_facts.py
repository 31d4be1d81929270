"""What the page's unit tests compare with Darkroom's own tables, as JSON: `python -m tests.support.page_facts SEED`.

The texts under pictures are those of the worker, for random bodies that the seed decides.
"""

import json
import random
import sys
from typing import Any

from darkroom.endpoints.model import SERVING
from darkroom.jobs.contract import WorkRequest
from darkroom.jobs.types import JOB_TYPES, needed_pictures
from darkroom.webui.infotext import read
from darkroom.webui.samplers import SAMPLERS, SCHEDULERS, sampler_named
from darkroom.webui.sizes import hires_size
from darkroom.webui.upscalers import BUILT_IN
from worker.findings import Findings
from worker.infotext import infotext
from worker.parameters import settings_of

EXAMPLES = 150
HASH = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"
_WORDS = ["a pier", "(fog:1.2)", "Straße", "猫", "<lora:grain:0.8>", 'say "no"', "Steps: 5", "a, b", "x\\(y\\)", "🌊"]


def _prompt(rng: random.Random) -> str:
    return "\n".join(" ".join(rng.choices(_WORDS, k=rng.randint(1, 4))) for _ in range(rng.randint(0, 3))).strip()


def _body(rng: random.Random, call: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "prompt": _prompt(rng),
        "negative_prompt": _prompt(rng),
        "steps": rng.randint(1, 150),
        "sampler_name": rng.choice(SAMPLERS).name,
        "scheduler": rng.choice(SCHEDULERS).name,
        "cfg_scale": rng.choice([1, 4.5, 7.0, 12.25]),
        "seed": rng.randrange(2**32),
        "width": rng.randrange(64, 2049, 8),
        "height": rng.randrange(64, 2049, 8),
        "tiling": rng.random() < 0.3,
        "override_settings": {"CLIP_stop_at_last_layers": rng.randint(1, 4)},
    }
    if rng.random() < 0.3:
        body |= {"subseed": rng.randrange(2**32), "subseed_strength": rng.choice([0.25, 1.0])}
        body |= {"seed_resize_from_w": 512, "seed_resize_from_h": rng.choice([0, 768])}
    if rng.random() < 0.2:
        body["override_settings"] |= {"randn_source": "CPU"}
    return body | (_second_pass(rng) if call == "txt2img" else _mask(rng))


def _second_pass(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.4:
        return {}
    size: dict[str, Any] = {"hr_scale": 1.5}
    if rng.random() < 0.4:
        size = {"hr_resize_x": 1024, "hr_resize_y": rng.choice([0, 1536])}
    return {
        "enable_hr": True,
        "denoising_strength": 0.35,
        "hr_upscaler": rng.choice(["Latent", "4x-UltraSharp", "R-ESRGAN 4x+: a, b"]),
        "hr_second_pass_steps": rng.choice([0, 12]),
        "hr_prompt": _prompt(rng),
        "hr_negative_prompt": _prompt(rng),
        "hr_sampler_name": rng.choice([None, "Euler a"]),
        **size,
    }


def _mask(rng: random.Random) -> dict[str, Any]:
    return {
        "denoising_strength": rng.choice([0.0, 0.6, 1.0]),
        "mask_blur": rng.choice([1, 4, 40]),
        "inpainting_fill": rng.randint(0, 3),
        "inpainting_mask_invert": rng.randint(0, 1),
        "inpaint_full_res": rng.random() < 0.5,
        "inpaint_full_res_padding": rng.choice([0, 32, 100]),
    }


def _example(rng: random.Random) -> dict[str, Any]:
    call = rng.choice(["txt2img", "img2img"])
    body = _body(rng, call)
    request = WorkRequest.model_validate(
        {
            "job_id": "job-1",
            "type": call,
            "mode": "inpaint" if call == "img2img" else None,
            "output": "s3://b/jobs/job-1/output/",
            "checkpoint": {"name": "v1-5-pruned.safetensors", "s3": "s3://models/v1-5"},
            "parameters": body,
        }
    )
    settings = settings_of(request)
    found = Findings(model_hash=HASH, painted={"Lora hashes": "grain: 0123456789ab"} if rng.random() < 0.5 else {})
    size = (body["width"], body["height"])
    seed, subseed = settings.seed, settings.subseed
    text = infotext(request, settings, seed=seed, subseed=subseed, size=size, version="Darkroom", found=found)
    return {"call": call, "body": body, "text": text, "read": _read(text)}


def _read(text: str) -> dict[str, Any]:
    fields, settings = read(text)
    return {"fields": fields, "settings": settings}


_REAL = [
    "girl with a beret, desert scene, ((eyeshadow)), detailed\nNegative prompt: ugly, [blurry], (((deformed)))\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 965400086, Size: 512x512, Model hash: 45dee52b",
    "a castle\nSteps: 30, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 1, Size: 768x512, Model: v1-5, Clip skip: 2, "
    "ENSD: 31337, Denoising strength: 0.4, Hires upscale: 2, Hires steps: 10, Hires upscaler: 4x-UltraSharp, "
    'Lora hashes: "grain: 0123456789ab, other: ba9876543210", Version: v1.5.1',
    "x <hypernet:old:1>\nSteps: 5, Sampler: k_euler_a, CFG scale: 7, Seed: 12345, Size: 64x64, Hypernet: moody, "
    "Hypernet strength: 0.5, Variation seed: 77, Variation seed strength: 0.2, Seed resize from: 512x384, RNG: NV",
    "only a prompt, with: a colon, and another: one",
    "two\nlines\nNegative prompt: not\nthis\nSteps: 20, Sampler: UniPC, Schedule type: SGM Uniform, CFG scale: 7, "
    'Seed: 3, Size: 512x512, Hires prompt: "a, b: c", Refiner: xl_refiner [31e35c80fc], Refiner switch at: 0.8',
    "m\nSteps: many, Sampler: Euler, CFG scale: , Seed: 4, Size: 10x, Mask blur: 4, Masked content: odd, Tiling: True",
    "flux\nSteps: 20, Sampler: Euler, CFG scale: 1, Seed: 5, Size: 1024x1024, Module 1: ae, Module 2: clip_l, "
    "Hires Module 1: t5xxl",
    "",
]


def facts(seed: int) -> dict[str, Any]:
    """Everything that the page's tests compare."""
    rng = random.Random(seed)
    words = [word for each in SAMPLERS for word in (each.name, *each.aliases)]
    endings = ["", " Karras", " exponential", "_ka", " DDIM", " nothing"]
    sizes: list[tuple[int, int, dict[str, float]]] = [
        (512, 768, {"scale": 1.85}),
        (512, 768, {"resize_x": 1000}),
        (640, 512, {"resize_y": 1024}),
    ]
    return {
        "serving": sorted(SERVING),
        "upscalers_without_file": sorted(BUILT_IN),
        "pictures": {
            f"{name}/{mode or ''}": needed_pictures(name, mode)
            for name, rules in JOB_TYPES.items()
            for mode in (*rules.modes, *([] if rules.modes else [None]))
        },
        "samplers": {word + end: _named(word + end) for word in words for end in endings},
        "hires_sizes": [[w, h, how, hires_size(w, h, **{"scale": 2, **how})] for w, h, how in sizes],
        "examples": [_example(rng) for _ in range(EXAMPLES)],
        "real": [{"text": text, "read": _read(text)} for text in _REAL],
    }


def _named(text: str) -> list[str | None] | None:
    found = sampler_named(text)
    return [found[0].name, found[1].name if found[1] else None] if found else None


if __name__ == "__main__":
    print(json.dumps(facts(int(sys.argv[1])), ensure_ascii=False))
