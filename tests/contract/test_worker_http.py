"""The worker over HTTP, with S3 behind it: pictures, captions and errors, as `docs/worker-contract.md` says."""

import hashlib
import io
import json
from typing import Any

import pytest
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

from darkroom.jobs.contract import Components
from tests.contract.worker_client import (
    BUCKET,
    JOB,
    code_of,
    init_picture,
    invoke,
    job_body,
    job_keys,
    s3,
    square_mask,
    stored_picture,
    upload,
    worker_with,
)
from worker.engines import Task
from worker.engines.preview import PreviewEngine
from worker.release import RELEASE
from worker.server import create_app

# -- health --------------------------------------------------------------------------------------------


def test_ping_answers_without_aws(worker: TestClient) -> None:
    assert worker.get("/ping").json() == {"ready": True, "engine": "preview", "device": "cpu", "models_loaded": []}


def test_an_unknown_engine_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="preview"):
        create_app("crayons")


# -- every type and mode -------------------------------------------------------------------------------


def test_txt2img_stores_its_pictures_under_the_keys_of_the_answer(worker: TestClient) -> None:
    parameters = {**job_body()["parameters"], "batch_size": 2, "n_iter": 2}
    answer = invoke(worker, parameters=parameters, checkpoint={"name": "sd.safetensors", "s3": "s3://m/sd"})
    assert [image.key for image in answer.images] == [f"jobs/{JOB}/output/{n}.png" for n in range(4)]
    assert job_keys() == [image.key for image in answer.images]
    assert [image.seed for image in answer.images] == [5, 6, 7, 8]
    assert isinstance(answer.info, dict)
    assert answer.info["all_seeds"] == [5, 6, 7, 8]
    assert answer.timings
    told = answer.timings.model_dump(exclude_none=True)
    assert set(told) == {"queued", "download", "load", "run"}
    assert answer.timings.busy == round(told["download"] + told["load"] + told["run"], 3)


def test_the_answer_describes_the_stored_bytes(worker: TestClient) -> None:
    image = invoke(worker).images[0]
    stored = s3().get_object(Bucket=BUCKET, Key=image.key)
    body = stored["Body"].read()
    digest = hashlib.sha256(body)
    assert (image.sha256, image.bytes) == (digest.hexdigest(), len(body))
    assert stored["ContentType"] == "image/png"
    picture = Image.open(io.BytesIO(body), formats=["png"])
    assert picture.size == (image.width, image.height)
    assert picture.info["parameters"] == image.infotext
    assert "Seed: 5, Size: 64x64" in (image.infotext or "")


def test_a_second_attempt_writes_the_same_keys_and_bytes(worker: TestClient) -> None:
    parameters = {"prompt": "a pier", "width": 64, "height": 64}
    assert invoke(worker, parameters=parameters).images == invoke(worker, parameters=parameters).images
    assert len(job_keys()) == 1


def test_a_large_picture_has_a_thumbnail_beside_it_and_a_small_one_has_none(worker: TestClient) -> None:
    large = invoke(worker, parameters={"prompt": "a pier", "width": 640, "height": 320})
    [image] = large.images
    assert image.thumbnail == f"jobs/{JOB}/output/thumbnails/0.webp"
    assert job_keys() == [image.key, image.thumbnail]
    found = s3().get_object(Bucket=BUCKET, Key=image.thumbnail)
    assert found["ContentType"] == "image/webp"
    assert Image.open(io.BytesIO(found["Body"].read()), formats=["WEBP"]).size == (320, 160)
    assert invoke(worker).images[0].thumbnail is None


def test_the_answer_says_what_made_it(worker: TestClient) -> None:
    answer = invoke(worker, checkpoint={"name": "sd.safetensors", "s3": "s3://m/sd"})
    assert answer.components == Components(engine="preview", version=RELEASE)
    assert answer.notices == []


def test_extras_enlarges_its_picture_and_says_what_it_did_not_do(worker: TestClient) -> None:
    body = {"image": "image:init", "upscaling_resize": 3, "upscaler_1": "R-ESRGAN 4x+", "gfpgan_visibility": 1}
    answer = invoke(worker, type="extras", parameters=body, images={"init": upload("init", init_picture())})
    assert stored_picture(answer).size == (192, 192)
    assert answer.images[0].infotext == "Postprocess upscale by: 3, Postprocess upscaler: R-ESRGAN 4x+"
    assert (answer.images[0].seed, answer.caption, answer.info) == (None, None, None)
    assert [notice.split(":")[0] for notice in answer.notices] == ["This is a preview"] * 2


@pytest.mark.parametrize(
    "body", [{"upscaling_resize": 0}, {"resize_mode": 2}, {"upscaling_resize_w": 0}, {"upscaling_resize": 900}]
)
def test_extras_that_cannot_be_done_name_the_field_or_the_size(worker: TestClient, body: dict[str, Any]) -> None:
    body = {"upscaler_1": "Lanczos", **body}
    answer = invoke(worker, type="extras", parameters=body, images={"init": upload("init", init_picture())})
    assert code_of(answer) == "parameter_invalid"
    assert job_keys() == []


@pytest.mark.parametrize("mode", ["img2img", "sketch", None])
def test_img2img_starts_from_its_init_picture(worker: TestClient, mode: str | None) -> None:
    parameters = {"init_images": ["image:init"], "denoising_strength": 0}
    answer = invoke(
        worker, type="img2img", mode=mode, parameters=parameters, images={"init": upload("init", init_picture())}
    )
    assert stored_picture(answer).tobytes() == init_picture().tobytes()


@pytest.mark.parametrize("mode", ["inpaint", "inpaint_upload"])
def test_inpaint_changes_only_the_masked_part(worker: TestClient, mode: str) -> None:
    images = {"init": upload("init", init_picture()), "mask": upload("mask", square_mask())}
    parameters = {"init_images": ["image:init"], "mask": "image:mask", "denoising_strength": 1, "seed": 3}
    result = stored_picture(invoke(worker, type="img2img", mode=mode, parameters=parameters, images=images))
    assert result.getpixel((32, 32)) != (10, 120, 200)
    result.paste((10, 120, 200), (16, 16, 48, 48))
    assert result.tobytes() == init_picture().tobytes()


def test_inpaint_sketch_takes_its_mask_from_the_sketch(worker: TestClient) -> None:
    sketch = init_picture()
    ImageDraw.Draw(sketch).rectangle((16, 16, 47, 47), fill="yellow")
    images = {"init": upload("init", init_picture()), "sketch": upload("sketch", sketch)}
    parameters = {"denoising_strength": 1, "seed": 3, "mask_blur": 0}
    result = stored_picture(invoke(worker, type="img2img", mode="inpaint_sketch", parameters=parameters, images=images))
    assert result.getpixel((32, 32)) != (10, 120, 200)
    result.paste((10, 120, 200), (16, 16, 48, 48))
    assert result.tobytes() == init_picture().tobytes()


def test_interrogate_clip_answers_a_sentence(worker: TestClient) -> None:
    answer = invoke(worker, type="interrogate_clip", images={"init": upload("init", init_picture())})
    assert answer.caption
    assert "blue" in answer.caption
    assert (answer.images, job_keys()) == ([], [])


def test_interrogate_deepbooru_answers_tags(worker: TestClient) -> None:
    answer = invoke(worker, type="interrogate_deepbooru", images={"init": upload("init", init_picture())})
    assert "blue theme" in (answer.caption or "").split(", ")


# -- errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not json", "body"),
        (b"[]", "body"),
        (b"{}", "job_id"),
        (json.dumps(job_body(type="video")).encode(), "type"),
        (json.dumps(job_body(type="img2img", mode="dream")).encode(), "mode"),
        (json.dumps(job_body(output="/tmp/out/")).encode(), "S3 URI"),  # noqa: S108
        (json.dumps(job_body(output=f"s3://{BUCKET}/jobs/1/output")).encode(), "slash"),
        (json.dumps(job_body(images={"init": "https://example.com/a.png"})).encode(), "S3 URI"),
    ],
)
def test_a_malformed_request_is_answered_400(worker: TestClient, body: bytes, message: str) -> None:
    response = worker.post("/invocations", content=body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_request"
    assert message in response.json()["error"]["message"]


def test_an_invalid_parameter_is_named_in_the_answer(worker: TestClient) -> None:
    answer = invoke(worker, parameters={"steps": 0})
    assert code_of(answer) == "parameter_invalid"
    assert answer.error
    assert "steps" in answer.error.message


def test_an_error_names_the_image_that_is_not_in_s3(worker: TestClient) -> None:
    answer = invoke(worker, type="interrogate_clip", images={"init": f"s3://{BUCKET}/images/missing"})
    assert code_of(answer) == "image_missing"
    assert answer.error
    assert "'init'" in answer.error.message


def test_an_image_that_the_request_does_not_name_is_missing(worker: TestClient) -> None:
    images = {"init": upload("init", init_picture())}
    assert code_of(invoke(worker, type="img2img", mode="inpaint", images=images)) == "image_missing"


def test_a_broken_image_is_unreadable(worker: TestClient) -> None:
    s3().put_object(Bucket=BUCKET, Key="broken", Body=b"GIF89a and no more")
    answer = invoke(worker, type="interrogate_clip", images={"init": f"s3://{BUCKET}/broken"})
    assert code_of(answer) == "image_unreadable"


def test_an_error_answer_has_no_other_fields(worker: TestClient) -> None:
    response = worker.post("/invocations", json=job_body(parameters={"steps": 0}))
    assert list(response.json()) == ["error"]


def test_a_body_over_the_limit_is_refused(worker: TestClient) -> None:
    response = worker.post("/invocations", content=b" " * (8 * 1024 * 1024 + 1))
    assert response.status_code == 400
    assert "at most 8,388,608 bytes" in response.json()["error"]["message"]


@pytest.mark.parametrize("letters", [2_000, 99_000, 100_000])
def test_a_prompt_without_a_blank_is_painted_and_kept(worker: TestClient, letters: int) -> None:
    answer = invoke(worker, parameters={"prompt": "x" * letters, "width": 64, "height": 64})
    assert stored_picture(answer).info["parameters"].startswith("x" * letters + "\nSteps: ")


class BrokenEngine(PreviewEngine):
    """Fails before it paints, with a message that must not be passed on."""

    def load(self, task: Task) -> None:
        raise MemoryError("secret-prompt")


def test_an_engine_that_breaks_is_a_500_with_a_reason_and_no_secrets(
    monkeypatch: pytest.MonkeyPatch, aws_in_memory: None
) -> None:
    with worker_with(monkeypatch, BrokenEngine()) as worker:
        response = worker.post("/invocations", json=job_body())
        assert response.status_code == 500
        assert response.json()["error"] == {
            "code": "worker_failed",
            "message": "The worker failed with MemoryError.",
        }
        assert worker.get("/ping").status_code == 200


def test_an_engine_that_breaks_is_logged_by_type_and_place_alone(
    monkeypatch: pytest.MonkeyPatch, aws_in_memory: None, caplog: pytest.LogCaptureFixture
) -> None:
    with worker_with(monkeypatch, BrokenEngine()) as worker:
        worker.post("/invocations", json=job_body(parameters={"prompt": "canary-prompt"}))
    [record] = [record for record in caplog.records if record.name == "worker.server"]
    assert record.levelname == "ERROR"
    assert "MemoryError" in record.getMessage()
    assert "test_worker_http.py:" in record.getMessage()
    for secret in ("secret-prompt", "canary-prompt"):
        assert secret not in caplog.text
