"""From a body to the text under its picture, and back: the same body. And what programs of others read in the text."""

import io
import re
from typing import Any, cast

import piexif
import piexif.helper
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sd_parsers import ParserManager

from darkroom.jobs.contract import WorkRequest
from darkroom.webui.infotext import filled_in
from worker.engines import Task
from worker.engines.diffusers.sampling.names import SAMPLERS, SCHEDULERS
from worker.engines.preview import PreviewEngine
from worker.findings import Findings
from worker.infotext import infotext
from worker.parameters import is_masked, settings_of
from worker.picture_files import FileOptions, encode

HASH = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa"
CHECKPOINT = {"name": "v1-5-pruned.safetensors", "s3": "s3://models/v1-5"}
REFINER = "refiner [31e35c80fc]"

FORMATS = ["PNG", "JPEG", "WEBP"]


def request_of(parameters: dict[str, Any], call: str = "txt2img", **fields: Any) -> WorkRequest:
    basic = {"job_id": "job-1", "type": call, "output": "s3://b/jobs/job-1/output/", "checkpoint": CHECKPOINT, **fields}
    return WorkRequest.model_validate({**basic, "parameters": parameters})


def text_under(request: WorkRequest, found: Findings) -> str:
    settings = settings_of(request)
    size = (settings.width or 512, settings.height or 512)
    seed, subseed = settings.seed, settings.subseed
    return infotext(request, settings, seed=seed, subseed=subseed, size=size, version="Darkroom", found=found)


# -- there and back ------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="#"), min_size=1, max_size=8)
lines = st.lists(words, min_size=1, max_size=4).map(" ".join).filter(lambda text: "Negative prompt:" not in text)
prompts = st.lists(lines, max_size=3).map("\n".join)
shares = st.floats(0, 1).map(lambda value: round(value, 3))
sides = st.integers(8, 256).map(lambda value: value * 8)
seeds = st.integers(0, 2**32)
samplers = st.sampled_from([sampler.name for sampler in SAMPLERS])
schedules = st.sampled_from([scheduler.label for scheduler in SCHEDULERS[1:]])


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=cast("dict[Any, st.SearchStrategy[Any]]", fields))


basics = st.fixed_dictionaries(
    {
        "prompt": prompts,
        "negative_prompt": prompts,
        "steps": st.integers(1, 150),
        "sampler_name": samplers,
        "scheduler": schedules,
        "cfg_scale": st.floats(1, 30).map(lambda value: round(value, 2)),
        "seed": seeds,
        "width": sides,
        "height": sides,
    }
)
variations: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"subseed": seeds, "subseed_strength": st.sampled_from([0.25, 0.5, 1.0])}),
)
options = some(randn_source=st.sampled_from(["CPU", "NV"]), CLIP_stop_at_last_layers=st.integers(2, 12))
hires = st.fixed_dictionaries(
    {"enable_hr": st.just(True), "denoising_strength": shares},
    optional={
        "hr_scale": st.sampled_from([1.5, 2.0, 4.0]),
        "hr_upscaler": st.sampled_from(["Latent", "4x-UltraSharp", "R-ESRGAN 4x+: a, b"]),
        "hr_second_pass_steps": st.integers(1, 50),
        "hr_prompt": prompts.filter(bool),
        "hr_sampler_name": samplers,
    },
)
masks = st.fixed_dictionaries(
    {
        "denoising_strength": shares,
        "mask_blur": st.integers(1, 64),
        "inpainting_fill": st.integers(0, 3),
        "inpainting_mask_invert": st.integers(0, 1),
    }
)


def same(body: dict[str, Any], again: dict[str, Any], *left_out: str) -> None:
    """Both bodies are the same job, as the worker reads them."""
    one, other = (settings_of(request_of(each)).model_dump(exclude=set(left_out)) for each in (body, again))
    assert one == other


@given(basics, variations, options, st.booleans())
def test_txt2img_comes_back_as_it_was(
    basic: dict[str, Any], varied: dict[str, Any], chosen: dict[str, Any], tiling: bool
) -> None:
    body = {**basic, **varied, "tiling": tiling, "override_settings": chosen}
    text = text_under(request_of(body), Findings(model_hash=HASH))
    again = filled_in({"infotext": text}, "txt2img")
    assert again["override_settings"].pop("sd_model_checkpoint") == HASH[:10]
    same(body, again, *([] if varied else ["subseed"]))


@given(basics, hires)
def test_a_second_pass_comes_back_as_it_was(basic: dict[str, Any], second: dict[str, Any]) -> None:
    body = {**basic, **second}
    again = filled_in({"infotext": text_under(request_of(body), Findings())}, "txt2img")
    again.pop("override_settings", None)
    if again.get("hr_scheduler") == body["scheduler"]:
        del again["hr_scheduler"]
    # What is the same as in the first pass is not written.
    for name in ("hr_prompt", "hr_sampler_name"):
        if body.get(name) == body.get(name.removeprefix("hr_")):
            body.pop(name, None)
    same(body, again)


@given(basics, masks, st.one_of(st.none(), st.integers(0, 256)))
def test_a_mask_comes_back_as_it_was(basic: dict[str, Any], mask: dict[str, Any], padding: int | None) -> None:
    area = {"inpaint_full_res": False, "inpaint_full_res_padding": 32}
    if padding is not None:
        area = {"inpaint_full_res": True, "inpaint_full_res_padding": padding}
    body = {**basic, **mask, **area}
    request = request_of(body, "img2img", mode="inpaint")
    assert is_masked(request)
    again = filled_in({"infotext": text_under(request, Findings())}, "img2img")
    same(body, again)


def test_what_came_up_while_it_was_painted_comes_back_as_options() -> None:
    painted = {
        "Lora hashes": "grain: 0123456789ab",
        "TI hashes": "easyneg: abcdefabcdef",
        "Emphasis": "No norm",
        "Eta": 0.5,
        "Sigma churn": 3.0,
        "NGMS": 1.5,
        "Refiner": REFINER,
        "Refiner switch at": 0.8,
    }
    text = text_under(request_of({"prompt": "a <lora:grain:1>"}), Findings(model_hash=HASH, painted=painted))
    assert text.endswith(
        'Lora hashes: "grain: 0123456789ab", TI hashes: "easyneg: abcdefabcdef", Emphasis: No norm, Eta: 0.5, '
        f"Sigma churn: 3.0, NGMS: 1.5, Refiner: {REFINER}, Refiner switch at: 0.8, Version: Darkroom"
    )
    again = filled_in({"infotext": text}, "txt2img")
    assert (again["refiner_checkpoint"], again["refiner_switch_at"]) == (REFINER, 0.8)
    assert again["override_settings"] == {
        "sd_model_checkpoint": HASH[:10],
        "emphasis": "No norm",
        "eta_ancestral": 0.5,
        "s_churn": 3.0,
        "s_min_uncond": 1.5,
    }


# -- what others read ----------------------------------------------------------------------------------

BODY = {
    "prompt": "grüner Turm, 猫 (at night:1.2)",
    "negative_prompt": "people",
    "steps": 20,
    "sampler_name": "DPM++ 2M",
    "cfg_scale": 7,
    "seed": 5,
    "width": 64,
    "height": 64,
}


def painted(**settings: Any) -> tuple[bytes, str, str]:
    request = request_of({**BODY, "override_settings": settings})
    task = Task(request, settings_of(request), {}, lambda share: None)
    [made] = PreviewEngine().paint(task)
    return made.content, made.infotext, made.file.media_type


@pytest.mark.parametrize("form", ["png", "jpg", "JPEG", "webp"])
def test_another_program_reads_the_text_in_every_format(form: str) -> None:
    content, _, _ = painted(samples_format=form)
    found = ParserManager().parse(io.BytesIO(content))
    assert found is not None
    [sampler] = found.samplers
    assert (sampler.name, sampler.parameters["seed"], sampler.parameters["scheduler"]) == ("DPM++ 2M", "5", "Karras")
    assert sampler.model
    assert sampler.model.name == "v1-5-pruned"
    assert [prompt.value for prompt in sampler.prompts] == [BODY["prompt"]]
    assert [prompt.value for prompt in sampler.negative_prompts] == ["people"]
    assert found.metadata["Size"] == "64x64"


@pytest.mark.parametrize(("form", "kind"), [("jpg", "image/jpeg"), ("jpeg", "image/jpeg"), ("webp", "image/webp")])
def test_jpeg_and_webp_carry_the_text_as_the_webui_writes_it_there(form: str, kind: str) -> None:
    content, text, media_type = painted(samples_format=form)
    assert media_type == kind
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        assert picture.get_format_mimetype() == kind
        exif = piexif.load(picture.info["exif"])
    comment = exif["Exif"][piexif.ExifIFD.UserComment]
    assert comment == piexif.helper.UserComment.dump(text, encoding="unicode")
    assert piexif.helper.UserComment.load(comment) == text
    assert exif["0th"][piexif.ImageIFD.DocumentName] == b"darkroom-job: job-1"


def test_the_jobs_id_stands_in_a_chunk_of_its_own() -> None:
    content, text, media_type = painted()
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        assert (media_type, picture.info) == ("image/png", {"parameters": text, "darkroom-job": "job-1"})
    assert "job-1" not in text


def test_the_options_of_a_file_are_heeded() -> None:
    fine, coarse = (painted(samples_format="jpg", jpeg_quality=quality)[0] for quality in (95, 10))
    assert len(fine) > 2 * len(coarse)
    lossless, _, _ = painted(samples_format="webp", webp_lossless=True)
    png = painted()[0]
    with (
        Image.open(io.BytesIO(lossless), formats=FORMATS) as one,
        Image.open(io.BytesIO(png), formats=FORMATS) as other,
    ):
        assert one.convert("RGB").tobytes() == other.convert("RGB").tobytes()
    with Image.open(io.BytesIO(painted(enable_pnginfo=False)[0]), formats=FORMATS) as bare:
        assert bare.info == {"darkroom-job": "job-1"}


def test_a_text_that_is_too_long_for_a_jpeg_costs_no_picture() -> None:
    picture = Image.new("RGB", (8, 8))
    made = encode(picture, {"parameters": "猫" * 40_000}, FileOptions(samples_format="jpg"), "job-1")
    with Image.open(io.BytesIO(made.content), formats=FORMATS) as read:
        assert (made.told, read.size) == (False, (8, 8))
        assert piexif.ExifIFD.UserComment not in piexif.load(read.info["exif"])["Exif"]


def test_options_leave_fields_out() -> None:
    off = {"add_model_hash_to_info": False, "add_version_to_infotext": False}
    text = text_under(request_of({"override_settings": off}), Findings(model_hash=HASH))
    assert not re.search("Model hash|Version", text)
    assert "Model: v1-5-pruned" in text
