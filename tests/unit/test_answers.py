"""What is made of a worker's answer: seeds, errors, captions, and what a manifest may not say."""

import base64
import json
import math
from typing import Any

import pytest

from darkroom.jobs.answer import Answer
from darkroom.jobs.answers import understand
from darkroom.jobs.contract import Timings
from darkroom.jobs.manifests import confirmed
from tests.support.pictures import png

JOB = "01a1fd9c-69a6-74b3-9d04-3a33460f060b"
KEY = f"jobs/{JOB}/output/0.png"


def answered(document: Any) -> Answer:
    return understand(JOB, json.dumps(document).encode())


def pictures(count: int) -> list[str]:
    return [base64.b64encode(png(color=(number, 0, 0))).decode() for number in range(count)]


def webui(count: int, **info: Any) -> Answer:
    return answered({"images": pictures(count), "parameters": {}, "info": json.dumps(info)})


def manifest(**image: Any) -> dict[str, Any]:
    return {"images": [{"key": KEY, "width": 64, "height": 64, **image}]}


def told(answer: Answer) -> list[tuple[int | None, str | None]]:
    return [(raw.seed, raw.infotext) for raw in answer.raw]


def reason(answer: Answer) -> tuple[str, str]:
    assert answer.error
    return answer.error.code, answer.error.message


def test_a_grid_has_no_seed_and_its_own_infotext() -> None:
    made = webui(3, all_seeds=[7, 8], infotexts=["g", "a", "b"], index_of_first_image=1)
    assert told(made) == [(None, "g"), (7, "a"), (8, "b")]


def test_several_grids_have_no_seed() -> None:
    made = webui(5, all_seeds=[7, 8], infotexts=list("ghiab"), index_of_first_image=3)
    assert [seed for seed, _ in told(made)] == [None, None, None, 7, 8]
    assert [text for _, text in told(made)] == list("ghiab")


def test_infotexts_without_one_for_the_grid_begin_behind_it() -> None:
    assert told(webui(3, all_seeds=[7, 8], infotexts=["a", "b"], index_of_first_image=1)) == [
        (None, None),
        (7, "a"),
        (8, "b"),
    ]


def test_what_scripts_put_behind_the_pictures_has_no_seed() -> None:
    """ControlNet answers the map it made as one more picture."""
    assert told(webui(3, all_seeds=[7, 8], infotexts=["a", "b"])) == [(7, "a"), (8, "b"), (None, None)]


@pytest.mark.parametrize("first", ["1", -1, 4, 1.5, True, [], 10**30])
def test_a_place_of_the_first_picture_that_cannot_be_gives_no_picture_a_wrong_seed(first: Any) -> None:
    assert [seed for seed, _ in told(webui(3, all_seeds=[7, 8], index_of_first_image=first))] == [None] * 3
    assert [seed for seed, _ in told(webui(2, all_seeds=[7, 8], index_of_first_image=first))] == [7, 8]


@pytest.mark.parametrize("seed", ["x", "-1", "7.5", "9" * 5000, 7.5, True, None, -3, 2**64, [7]])
def test_a_seed_that_is_none_is_not_told_and_moves_no_other(seed: Any) -> None:
    assert [seed for seed, _ in told(webui(2, all_seeds=[seed, 8]))] == [None, 8]


def test_a_seed_may_be_written_as_text_or_with_a_point() -> None:
    assert told(webui(2, all_seeds=["7", 8.0], infotexts=["a", "b"])) == [(7, "a"), (8, "b")]


def test_the_one_seed_of_an_answer_is_that_of_its_first_picture() -> None:
    assert [seed for seed, _ in told(webui(2, seed=7))] == [7, None]
    assert [seed for seed, _ in told(webui(2, seed=7, index_of_first_image=1))] == [None, 7]


@pytest.mark.parametrize("uri", ["", "data:image/png;base64,", 'data:image/png;name="a, b.png";base64,', "data:,"])
def test_a_picture_is_read_however_its_base64_is_written(uri: str) -> None:
    [text] = pictures(1)
    for written in (text, text.rstrip("="), text.replace("+", "-").replace("/", "_"), f" {text[:99]}\r\n{text[99:]}"):
        assert len(answered({"images": [uri + written]}).raw) == 1


def test_a_field_that_is_null_is_as_good_as_left_out() -> None:
    assert answered({"images": None, "caption": "a pier", "error": None}).caption == "a pier"


def test_an_enlarged_picture_comes_as_the_webui_sends_it() -> None:
    assert len(answered({"html_info": "<p>", "image": "data:image/png;base64," + pictures(1)[0]}).raw) == 1
    lines = "\n".join(pictures(1)[0][at : at + 60] for at in range(0, len(pictures(1)[0]), 60))
    assert len(answered({"images": [lines], "html_info": "<p>"}).raw) == 1


OUT_OF_MEMORY = {"error": "OutOfMemoryError", "detail": "", "body": "", "errors": "CUDA out of memory. Tried 2 GiB"}
COMPLAINTS = [
    {"loc": ["body", "steps"], "msg": "value is not a valid integer", "type": "type_error.integer"},
    {"loc": ["body", "script_args", 3], "msg": "field required", "input": {"prompt": "secret"}},
]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (OUT_OF_MEMORY, "OutOfMemoryError: CUDA out of memory. Tried 2 GiB"),
        ({"error": "HTTPException", "detail": "Sampler not found", "body": "", "errors": ""}, "Sampler not found"),
        ({"error": "HTTPException", "detail": "", "errors": "404: Sampler not found"}, "404: Sampler not found"),
        ({"error": "RuntimeError", "detail": "", "body": {"prompt": "secret"}, "errors": ""}, "RuntimeError"),
        ({"error": "ValueError", "errors": ["first", "second"]}, "ValueError: first; second"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": COMPLAINTS}, "steps: value is not a valid integer; script_args.3: field required"),
        ({"detail": {"message": "No model is loaded"}, "images": []}, "No model is loaded"),
        ({"code": 500, "type": "InternalServerException", "message": "Prediction failed"}, "Prediction failed"),
        ({"error": {"message": "No model is loaded", "type": "server_error"}}, "No model is loaded"),
        ({"error": {"error": {"message": "No model is loaded"}}}, "No model is loaded"),
        ({"error": ["No model", "is loaded"]}, "No model; is loaded"),
        ({"error": 503}, "503"),
        ({"detail": [{"msg": {"error": "No model is loaded"}}]}, "No model is loaded"),
    ],
)
def test_errors_of_plain_containers_are_the_reason(document: dict[str, Any], message: str) -> None:
    assert reason(answered(document)) == ("worker_failed", message)


def test_an_error_without_words_says_where_to_look() -> None:
    for document in ({"error": {"code": 3}}, {"error": True}, {"error": {"code": "  ", "message": ""}}):
        code, message = reason(answered(document))
        assert code == "worker_failed"
        assert "log" in message


def test_an_error_keeps_what_the_job_cost() -> None:
    failed = answered({"error": {"code": "image_missing", "message": "gone"}, "timings": {"run": 2}})
    assert (reason(failed), failed.timings) == (("image_missing", "gone"), Timings(run=2))


@pytest.mark.parametrize(
    "caption",
    [
        "<error>",
        "a photo of a cat<error>",
        "Exception <class 'RuntimeError'>",
        "RuntimeError: CUDA error: device-side assert triggered",
        "torch.cuda.OutOfMemoryError: CUDA out of memory.",
        "Ran out of VRAM",
        "Error: model not found",
        "Traceback (most recent call last):\n  File",
    ],
)
def test_a_caption_that_is_an_error_is_no_success(caption: str) -> None:
    code, message = reason(answered({"caption": caption}))
    assert code == "worker_failed"
    assert "could not describe" in message


@pytest.mark.parametrize("caption", ["a lighthouse", "a terror of a cat", "a mirror, errors in the glass", ""])
def test_other_captions_succeed(caption: str) -> None:
    assert answered({"caption": caption}).caption == caption


@pytest.mark.parametrize(
    ("image", "word"),
    [
        ({"width": -1}, "width"),
        ({"width": 0}, "width"),
        ({"height": 10**9}, "height"),
        ({"height": 10**400}, "height"),
        ({"width": "wide"}, "width"),
        ({"width": None}, "width"),
        ({"bytes": -5}, "bytes"),
        ({"bytes": 0}, "bytes"),
        ({"seed": "x"}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"seed": -2}, "seed"),
        ({"sha256": "9f2b"}, "sha256"),
        ({"sha256": "g" * 64}, "sha256"),
        ({"key": f"jobs/{JOB}/output/../../x/output/0.png"}, "key"),
        ({"key": f"jobs/{JOB}/output/a..png"}, "key"),
        ({"key": f"jobs/{JOB}/output//0.png"}, "key"),
        ({"key": f"jobs/{JOB}/output/./0.png"}, "key"),
        ({"key": f"jobs/{JOB}/output/a\n.png"}, "key"),
        ({"key": f"jobs/{JOB}/output/0.png\n"}, "key"),
        ({"key": f"jobs/{JOB}/output/a\\b.png"}, "key"),
        ({"key": f"jobs/{JOB}/output/\x00.png"}, "key"),
        ({"key": f"jobs/{JOB}/output/"}, "key"),
        ({"key": f"jobs/{JOB}/output/.png"}, "key"),
        ({"key": f"jobs/{JOB}/output/response.json"}, "key"),
        ({"key": f"jobs/{JOB}/output/{'n' * 300}.png"}, "key"),
        ({"key": f"s3://pictures/{KEY}"}, "key"),
        ({"key": "images/alice/0.png"}, "key"),
        ({"key": KEY.replace(JOB, JOB[:-1] + "c")}, "key"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused_by_name(image: dict[str, Any], word: str) -> None:
    code, message = reason(answered(manifest(**image)))
    assert code == "bad_answer"
    assert word in message


def test_one_picture_cannot_be_named_twice() -> None:
    assert "twice" in reason(answered({"images": manifest()["images"] * 2}))[1]


def test_what_stands_beside_a_result_never_costs_the_result() -> None:
    odd = {"timings": {"run": "fast"}, "notices": [1, "", "Rounded."], "components": {"files": [{"name": 5}]}}
    made = answered({**manifest(thumbnail=7), **odd})
    assert (made.error, made.timings, made.notices, made.components) == (None, None, ("Rounded.",), None)
    assert made.images[0].thumbnail is None
    assert answered({**manifest(), "timings": [], "notices": "x", "components": "x"}).error is None


@pytest.mark.parametrize("run", [-1, 1e9, math.nan, math.inf, "fast", True * 10**6, [1]])
def test_times_that_cannot_be_are_not_told(run: Any) -> None:
    made = answered(manifest() | {"timings": {"load": 1, "run": run}})
    assert made.error is None
    assert made.timings in (None, Timings(load=1))


@pytest.mark.parametrize(
    "thumbnail", ["images/alice/0.png", f"jobs/{JOB}/output/../0.webp", f"jobs/{JOB}/output/clip.mp4", "0.webp"]
)
def test_a_thumbnail_from_elsewhere_is_left_out(thumbnail: str) -> None:
    assert answered(manifest(thumbnail=thumbnail)).images[0].thumbnail is None


def test_many_components_are_cut_and_the_engine_stays() -> None:
    files = [{"kind": "lora", "name": "n" * 250, "sha256": "0" * 64} for _ in range(500)]
    made = answered({**manifest(), "components": {"engine": "preview", "files": files}, "notices": ["é" * 900] * 99})
    assert made.components
    assert made.components.engine == "preview"
    assert 0 < len(made.components.files) < 100
    assert len(made.components.model_dump_json()) < 13_000
    assert sum(len(text.encode()) for text in made.notices) < 6_000


def test_s3_has_the_last_word_on_what_is_there() -> None:
    small = f"jobs/{JOB}/output/thumbnails/0.webp"
    made = answered(manifest(thumbnail=small, sha256="AB" * 32))
    assert confirmed(made, {KEY: 99, small: 9}).images[0].model_dump(exclude_none=True) == {
        "key": KEY,
        "width": 64,
        "height": 64,
        "bytes": 99,
        "sha256": "ab" * 32,
        "thumbnail": small,
    }
    assert confirmed(made, {KEY: 99}).images[0].thumbnail is None
    assert "not in S3" in reason(confirmed(made, {}))[1]
    assert "empty" in reason(confirmed(made, {KEY: 0}))[1]
    assert "99" in reason(confirmed(answered(manifest(bytes=100)), {KEY: 99}))[1]


@pytest.mark.parametrize(
    ("timings", "busy"),
    [
        ({"model": 1.5, "run": 2}, 3.5),
        ({"download": 1, "load": 2, "run": 3, "model": 9, "queued": 100}, 6),
        ({"load": 2, "run": 3, "model": 9}, 5),
        ({"run": 3}, 3),
        ({"queued": 3}, None),
        ({}, None),
    ],
)
def test_an_instance_is_busy_while_it_downloads_loads_and_paints(timings: dict[str, float], busy: float | None) -> None:
    assert Timings(**timings).busy == busy


@pytest.mark.parametrize("wrong", [5, [], {"a": 1}])
def test_an_infotext_or_info_of_another_shape_costs_no_picture(wrong: Any) -> None:
    [image] = answered({**manifest(infotext=wrong), "info": [wrong]}).images
    assert image.infotext is None


def test_an_error_however_deep_is_answered() -> None:
    for depth in (10, 300, 900, 5_000):
        for text in ('{"detail":' + "[" * depth + "]" * depth + "}", '{"error":' * depth + "1" + "}" * depth):
            assert understand(JOB, text.encode()).error
