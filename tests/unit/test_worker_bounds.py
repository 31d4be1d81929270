"""How much work one job can make for the preview worker: counted, never timed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from darkroom.jobs import draft, named_models
from darkroom.jobs.contract import MAX_INPUTS, WorkRequest
from worker import infotext, parameters, server
from worker.engines import Painting, Task
from worker.engines.banner import wrap
from worker.engines.preview import PreviewEngine
from worker.errors import JobError
from worker.parameters import settings_of
from worker.pictures import fit
from worker.server import read_request

MOST_MEASURES = 170
"""A picture: 5 lines and an ellipsis of at most 23 each, the title's size, the title, the note."""

PROMPTS = {
    "2,000 letters": "x" * 2_000,
    "99,000 letters": "x" * 99_000,
    "100,000 letters": "x" * 100_000,
    "narrow letters": "i" * 100_000,
    "wide letters": "W" * 100_000,
    "short words": "i " * 50_000,
    "long words": ("x" * 2_000 + " ") * 49,
    "a long word behind short ones": "a pier at night, " + "x" * 99_000,
    "blanks": " " * 100_000,
    "blanks, then a word": " " * 99_999 + "x",
    "lines": "x\n" * 50_000,
    "empty lines": "\r\n" * 50_000,
    "combining marks": "e" + "\u0301" * 99_999,
    "zero-width spaces": "\u200b" * 100_000,
    "zero-width joiners": "\U0001f468\u200d\U0001f469\u200d" * 25_000,
    "emoji": "\U0001f44d\U0001f3fd" * 50_000,
    "Hebrew": "\u05d0" * 100_000,
    "direction marks": "\u202e\u202d" * 50_000,
    "Thai": "\u0e2a" * 100_000,
    "no-break spaces": "\u00a0x" * 50_000,
    "NUL": "\x00" * 100_000,
    "LoRA tags": "<lora:film:0.8>" * 6_600,
    "brackets": "(" * 100_000,
}


class Ruler:
    """A font whose characters are all `advance` pixels wide, and that remembers how long the measured texts were."""

    def __init__(self, advance: float) -> None:
        self.advance = advance
        self.measured: list[int] = []

    def getlength(self, text: str) -> float:
        self.measured.append(len(text))
        return self.advance * len(text)


@contextmanager
def measurements() -> Iterator[list[int]]:
    """The lengths of all texts that Pillow is asked to measure meanwhile."""
    lengths: list[int] = []
    real = ImageFont.FreeTypeFont.getlength

    def getlength(font: ImageFont.FreeTypeFont, text: str, *more: Any, **options: Any) -> float:
        lengths.append(len(text))
        return real(font, text, *more, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageFont.FreeTypeFont, "getlength", getlength)
        yield lengths


def request_of(**fields: Any) -> WorkRequest:
    given = {"job_id": "job-1", "type": "txt2img", "output": "s3://bucket/jobs/job-1/output/", **fields}
    return WorkRequest.model_validate(given)


def paint(pictures: dict[str, Image.Image] | None = None, steps: list[float] | None = None, **fields: Any) -> list[int]:
    """Paints a job to its end and tells the bytes of its pictures; `steps` gets every look at cancel and stop."""
    request = request_of(images={name: f"s3://bucket/{name}" for name in pictures or {}}, **fields)
    task = Task(request, settings_of(request), pictures or {}, (steps if steps is not None else []).append)
    made: list[Painting] = list(PreviewEngine().paint(task))
    return [len(painting.content) for painting in made]


# -- the caption ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
@pytest.mark.parametrize("size", [(64, 64), (512, 512), (8192, 256)], ids=["64x64", "512x512", "8192x256"])
def test_no_prompt_takes_more_than_a_few_measurements(prompt: str, size: tuple[int, int]) -> None:
    with measurements() as measured:
        paint(parameters={"prompt": prompt, "width": size[0], "height": size[1]})
    assert 0 < len(measured) <= MOST_MEASURES
    # Nothing longer than the strip has pixels, however long the prompt is.
    assert max(measured) <= size[0] + len("...")


@pytest.mark.parametrize("advance", [0, 0.001, 0.5, 7, 1_000])
@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_neither_do_fonts_of_any_width(prompt: str, advance: float) -> None:
    """A character without any width is one that never fills a line."""
    ruler = Ruler(advance)
    lines = wrap(prompt, ruler, 500, 5)  # type: ignore[arg-type]
    assert len(lines) <= 5
    assert len(ruler.measured) <= 5 * 23 + 23
    assert max(ruler.measured, default=0) <= 500 + len("...")


@given(st.text(st.sampled_from("abW \n\u0301"), max_size=400), st.integers(30, 300), st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_a_wrapped_text_fits_and_loses_nothing_but_its_end(text: str, width: int, most: int) -> None:
    lines = wrap(text, Ruler(7), width, most)  # type: ignore[arg-type]
    assert len(lines) <= most
    assert all(len(line) * 7 <= width for line in lines)
    shown = "".join("".join(lines).removesuffix("...").split())
    assert "".join(text.split()).startswith(shown)
    if lines and not lines[-1].endswith("..."):
        assert shown == "".join(text.split())


def test_a_line_breaks_at_its_last_blank_and_a_longer_word_within() -> None:
    text = "a pier at night, <lora:a_name_without_any_blank:0.8> calm"
    assert wrap(text, Ruler(1), 20, 5) == [  # type: ignore[arg-type]
        "a pier at night,",
        "<lora:a_name_without",
        "_any_blank:0.8> calm",
    ]
    assert wrap(text, Ruler(1), 20, 2) == ["a pier at night,", "<lora:a_name_with..."]  # type: ignore[arg-type]
    assert wrap("WWW", Ruler(1000), 20, 2) == ["W", "..."]  # type: ignore[arg-type]


# -- whole jobs ----------------------------------------------------------------------------------------

ODD = st.one_of(
    st.text(max_size=60),
    st.sampled_from(sorted(PROMPTS)).map(PROMPTS.__getitem__),
    st.tuples(st.text(min_size=1, max_size=8), st.integers(1, 12_000)).map(lambda each: each[0] * each[1]),
)
NAME = st.one_of(st.text(max_size=40), st.sampled_from([" " * 1_000, "[" * 1_000, "a [6ce0161689]", "a,b:c\n"]))
SIDE = st.one_of(st.integers(8, 200), st.sampled_from([8, 512, 1_024]))
WHOLE = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
FIELDS = {
    "prompt": ODD,
    "negative_prompt": ODD,
    "hr_prompt": ODD,
    "styles": st.lists(st.text(max_size=20), max_size=50),
    "seed": WHOLE,
    "subseed": WHOLE,
    "subseed_strength": st.floats(0, 1),
    "steps": st.integers(1, 2**63 - 1),
    "hr_second_pass_steps": WHOLE,
    "sampler_name": NAME,
    "scheduler": NAME,
    "width": SIDE,
    "height": SIDE,
    "batch_size": st.integers(1, 2),
    "n_iter": st.integers(1, 2),
    "cfg_scale": st.floats(allow_nan=False, allow_infinity=False),
    "denoising_strength": st.floats(0, 1),
    "resize_mode": st.integers(0, 3),
    "mask_blur": st.integers(0, 512),
    "inpainting_mask_invert": st.booleans(),
    "inpaint_full_res": st.booleans(),
    "inpaint_full_res_padding": WHOLE,
    "enable_hr": st.booleans(),
    "hr_scale": st.floats(1, 2),
    "hr_resize_x": st.integers(0, 300),
    "hr_resize_y": st.integers(0, 300),
    "override_settings": st.dictionaries(st.sampled_from(["CLIP_stop_at_last_layers", "sd_vae"]), JSON, max_size=2),
    "script_args": st.lists(JSON, max_size=5),
    "alwayson_scripts": st.dictionaries(st.text(max_size=8), JSON, max_size=3),
}
KINDS = st.sampled_from(["vae", "lora", "hypernetwork", "embedding", "controlnet"])
FILE = st.fixed_dictionaries({"name": NAME, "s3": st.none() | st.just("s3://bucket/model")})


@st.composite
def jobs(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Image.Image]]:
    """Any job that the worker takes, with its pictures, and small enough to paint hundreds of them."""
    kind, mode = draw(
        st.sampled_from(
            [
                ("txt2img", None),
                ("img2img", "img2img"),
                ("img2img", "inpaint"),
                ("img2img", "inpaint_sketch"),
            ]
        )
    )
    size = draw(st.tuples(st.integers(1, 300), st.integers(1, 300)))
    pictures = {}
    if kind == "img2img":
        pictures["init"] = Image.new("RGB", size, (10, 120, 200))
    if mode == "inpaint_sketch":
        pictures["sketch"] = pictures["init"].copy()
        ImageDraw.Draw(pictures["sketch"]).rectangle((0, 0, size[0] // 2, size[1] // 2), fill="yellow")
    if mode == "inpaint":
        pictures["mask"] = Image.new("L", size, draw(st.sampled_from([0, 1, 255])))
    fields = {
        "type": kind,
        "mode": mode,
        "parameters": draw(st.fixed_dictionaries({}, optional=FIELDS)),
        "checkpoint": draw(st.none() | FILE),
        "models": draw(st.dictionaries(KINDS, st.lists(FILE, max_size=3), max_size=3)),
    }
    return fields, pictures


@given(job=jobs())
@settings(max_examples=100, deadline=None)
def test_any_job_is_painted_with_few_measurements(job: tuple[dict[str, Any], dict[str, Image.Image]]) -> None:
    fields, pictures = job
    with measurements() as measured:
        made = paint(pictures, **fields)
    asked = fields["parameters"]
    assert len(made) == asked.get("batch_size", 1) * asked.get("n_iter", 1)
    assert len(measured) <= MOST_MEASURES * len(made)


def test_the_steps_asked_for_do_not_make_more_work() -> None:
    counts = []
    for steps in (1, 2**63 - 1):
        looks: list[float] = []
        with measurements() as measured:
            paint(steps=looks, parameters={"prompt": "a pier", "width": 64, "height": 64, "steps": steps})
        counts.append((len(looks), len(measured)))
    assert counts[0] == counts[1]


def test_the_prompt_is_digested_once_a_job_and_not_once_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    real = json.dumps

    def dumps(value: Any, **options: Any) -> str:
        text = real(value, **options)
        written.append(len(text))
        return text

    monkeypatch.setattr("worker.engines.preview.json.dumps", dumps)
    paint(parameters={"prompt": "x" * 1_000, "batch_size": 4, "width": 8, "height": 8})
    assert len([length for length in written if length > 1_000]) == 1


@pytest.mark.parametrize("name", [" " * 1_000_000, " [" * 500_000, "[" * 1_000_000, "[a" * 500_000])
def test_a_checkpoint_of_any_name_is_searched_for_its_hash_once(name: str) -> None:
    request = request_of(checkpoint={"name": name, "s3": None})
    # A pattern that goes over the blanks again for each of them would be at it for hours: the test's timeout.
    assert "Model hash" not in infotext.infotext(
        request, settings_of(request), seed=1, subseed=1, size=(8, 8), version="test"
    )


@pytest.mark.parametrize("resize_mode", [0, 1, 2, 3])
@pytest.mark.parametrize("made", [(8192, 1), (1, 8192), (1, 1)])
@pytest.mark.parametrize("size", [(8, 8), (8, 2048), (2048, 8)])
def test_a_picture_of_any_shape_is_resized(made: tuple[int, int], size: tuple[int, int], resize_mode: int) -> None:
    assert fit(Image.new("RGB", made), size, resize_mode).size == size


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"prompt": "x" * 100_001}, "prompt"),
        ({"negative_prompt": "x" * 100_001}, "negative_prompt"),
        ({"hr_prompt": "x" * 100_001}, "hr_prompt"),
        ({"sampler_name": "x" * 1_001}, "sampler_name"),
        ({"hr_upscaler": "x" * 1_001}, "hr_upscaler"),
        ({"seed": 10**30}, "seed"),
        ({"seed": "9" * 5_000}, "seed"),
        ({"subseed": -(10**30)}, "subseed"),
        ({"steps": 10**30}, "steps"),
        ({"cfg_scale": "Infinity"}, "cfg_scale"),
        ({"denoising_strength": "NaN"}, "denoising_strength"),
        ({"hr_scale": "NaN"}, "hr_scale"),
        ({"hr_scale": 9}, "hr_scale"),
        ({"width": 8_193}, "width"),
        ({"batch_size": 129}, "batch_size"),
        ({"batch_size": 8, "n_iter": 17}, "batch_size times n_iter is 136"),
    ],
)
def test_a_job_over_a_bound_is_refused_by_the_fields_name(given: dict[str, Any], field: str) -> None:
    with pytest.raises(JobError, match=field) as refused:
        settings_of(request_of(parameters=given))
    assert refused.value.code == "parameter_invalid"
    assert len(refused.value.message) <= 2_000


@pytest.mark.parametrize(
    ("asked", "grown"),
    [
        ({"width": 2048, "height": 2048}, {"hr_scale": 8}),
        ({"width": 8, "height": 8192}, {"hr_resize_x": 4096}),
        ({"width": 8192, "height": 8}, {"hr_resize_y": 16}),
    ],
)
def test_a_hires_pass_that_ends_too_large_is_refused(asked: dict[str, Any], grown: dict[str, Any]) -> None:
    with pytest.raises(JobError, match="8192 pixels a side"):
        paint(parameters={**asked, "enable_hr": True, **grown})


def body(**fields: Any) -> bytes:
    return json.dumps({"job_id": "1", "type": "txt2img", "output": "s3://bucket/jobs/1/output/", **fields}).encode()


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (body(images={str(n): "s3://bucket/a" for n in range(33)}), "images"),
        (body(images={str(n): 5 for n in range(100_000)}), "images"),
        (body(models={"lora": [5] * 100_000}), "models"),
        (body(models={str(n): 5 for n in range(100_000)}), "models"),
        (body(models={"lora": {str(n): 5 for n in range(100_000)}}), "models"),
        (body(files={"openpose": [5] * 100_000}), "files"),
        (body(job_id="1" * 201), "job_id"),
        (body(output="s3://bucket/" + "x" * 1_000 + "/"), "job_id, output"),
        (b"[" * 100_000, "body"),
        (b'{"job_id": ' + b"9" * 100_000, "body"),
        (b'"\xff"', "body"),
    ],
)
def test_a_request_that_names_too_much_is_refused_in_a_line(content: bytes, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}.*: ") as refused:
        read_request(content)
    assert len(str(refused.value)) < 300


def test_the_largest_jobs_that_the_api_takes_are_taken() -> None:
    kinds = 8
    assert named_models.MAX_MODELS + kinds <= server.MAX_MODELS
    assert server.MAX_BODY_BYTES > draft.MAX_PARAMETER_BYTES + 1024 * (named_models.MAX_MODELS + MAX_INPUTS)
    assert parameters.MAX_TEXT >= 100_000
    read_request(
        body(
            parameters={"prompt": "x" * 100_000, "batch_size": 8, "n_iter": 16},
            images={str(n): "s3://bucket/a" for n in range(MAX_INPUTS)},
            models={"lora": [{"name": str(n), "s3": "s3://bucket/a"} for n in range(named_models.MAX_MODELS)]},
        )
    )
