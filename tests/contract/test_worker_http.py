"""The worker over HTTP, with S3 and SQS behind it: what `docs/worker-contract.md` promises."""

import contextlib
import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import httpx
import pytest
from moto import mock_aws
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

from darkroom.jobs.contract import Components, Progress, WorkAnswer, WorkRequest
from worker import engines
from worker.engines import Engine, Painting, Task
from worker.engines.preview import PreviewEngine
from worker.server import create_app

BUCKET = "pictures"
JOB = "0192f0c1-1111-7000-8000-000000000001"
REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", REGION)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        s3().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield


@pytest.fixture
def worker() -> Iterator[TestClient]:
    with TestClient(create_app()) as client:
        yield client


def s3() -> Any:
    return boto3.client("s3", region_name=REGION)


def upload(name: str, image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, "PNG")
    s3().put_object(Bucket=BUCKET, Key=f"images/ann/{name}", Body=out.getvalue())
    return f"s3://{BUCKET}/images/ann/{name}"


def work(**fields: Any) -> dict[str, Any]:
    return {
        "job_id": JOB,
        "type": "txt2img",
        "parameters": {"prompt": "a pier", "seed": 5, "steps": 20, "width": 64, "height": 64},
        "output": f"s3://{BUCKET}/jobs/{JOB}/output/",
        **fields,
    }


def invoke(worker: TestClient, **fields: Any) -> WorkAnswer:
    response = worker.post("/invocations", json=work(**fields))
    assert response.status_code == 200, response.text
    return WorkAnswer.model_validate_json(response.text)


def stored(answer: WorkAnswer, number: int = 0) -> Image.Image:
    body = s3().get_object(Bucket=BUCKET, Key=answer.images[number].key)["Body"].read()
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def code_of(answer: WorkAnswer) -> str | None:
    return answer.error.code if answer.error else None


def written() -> list[str]:
    listed = s3().list_objects_v2(Bucket=BUCKET, Prefix="jobs/").get("Contents", [])
    return [entry["Key"] for entry in listed]


def init() -> Image.Image:
    return Image.new("RGB", (64, 64), (10, 120, 200))


def spot(colour: Any = 255, mode: str = "L") -> Image.Image:
    mask = Image.new(mode, (64, 64), 0)
    ImageDraw.Draw(mask).rectangle((16, 16, 47, 47), fill=colour)
    return mask


# -- health --------------------------------------------------------------------------------------------


def test_ping_answers_without_aws(worker: TestClient) -> None:
    assert worker.get("/ping").json() == {"ready": True, "engine": "preview", "device": "cpu", "models_loaded": []}


def test_an_unknown_engine_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="preview"):
        create_app("crayons")


# -- every type and mode -------------------------------------------------------------------------------


def test_txt2img_stores_its_pictures_where_it_says(worker: TestClient) -> None:
    parameters = {**work()["parameters"], "batch_size": 2, "n_iter": 2}
    answer = invoke(worker, parameters=parameters, checkpoint={"name": "sd.safetensors", "s3": "s3://m/sd"})
    assert [image.key for image in answer.images] == [f"jobs/{JOB}/output/{n}.png" for n in range(4)]
    assert written() == [image.key for image in answer.images]
    assert [image.seed for image in answer.images] == [5, 6, 7, 8]
    assert isinstance(answer.info, dict)
    assert answer.info["all_seeds"] == [5, 6, 7, 8]
    assert answer.timings
    told = answer.timings.model_dump(exclude_none=True)
    assert set(told) == {"queued", "download", "load", "run"}
    assert answer.timings.busy == round(told["download"] + told["load"] + told["run"], 3)


def test_the_answer_describes_the_stored_bytes(worker: TestClient) -> None:
    image = invoke(worker).images[0]
    found = s3().get_object(Bucket=BUCKET, Key=image.key)
    body = found["Body"].read()
    digest = hashlib.sha256(body)
    assert (image.sha256, image.bytes) == (digest.hexdigest(), len(body))
    assert found["ContentType"] == "image/png"
    picture = Image.open(io.BytesIO(body))
    assert picture.size == (image.width, image.height)
    assert picture.info["parameters"] == image.infotext
    assert "Seed: 5, Size: 64x64" in (image.infotext or "")


def test_a_second_attempt_writes_the_same_keys_and_bytes(worker: TestClient) -> None:
    parameters = {"prompt": "a pier", "width": 64, "height": 64}
    assert invoke(worker, parameters=parameters).images == invoke(worker, parameters=parameters).images
    assert len(written()) == 1


def test_a_large_picture_has_a_thumbnail_beside_it_and_a_small_one_has_none(worker: TestClient) -> None:
    large = invoke(worker, parameters={"prompt": "a pier", "width": 640, "height": 320})
    [image] = large.images
    assert image.thumbnail == f"jobs/{JOB}/output/thumbnails/0.webp"
    assert written() == [image.key, image.thumbnail]
    found = s3().get_object(Bucket=BUCKET, Key=image.thumbnail)
    assert found["ContentType"] == "image/webp"
    assert Image.open(io.BytesIO(found["Body"].read())).size == (320, 160)
    assert invoke(worker).images[0].thumbnail is None


def test_the_answer_says_what_made_it(worker: TestClient) -> None:
    answer = invoke(worker, checkpoint={"name": "sd.safetensors", "s3": "s3://m/sd"})
    assert answer.components == Components(engine="preview", version="Darkroom preview")
    assert answer.notices == []


def test_extras_enlarges_its_picture_and_says_what_it_did_not_do(worker: TestClient) -> None:
    body = {"image": "image:init", "upscaling_resize": 3, "upscaler_1": "R-ESRGAN 4x+", "gfpgan_visibility": 1}
    answer = invoke(worker, type="extras", parameters=body, images={"init": upload("init", init())})
    assert stored(answer).size == (192, 192)
    assert answer.images[0].infotext == "Postprocess upscale by: 3, Postprocess upscaler: R-ESRGAN 4x+"
    assert (answer.images[0].seed, answer.caption, answer.info) == (None, None, None)
    assert [notice.split(":")[0] for notice in answer.notices] == ["This is a preview"] * 2


@pytest.mark.parametrize(
    "body", [{"upscaling_resize": 0}, {"resize_mode": 2}, {"upscaling_resize_w": 0}, {"upscaling_resize": 900}]
)
def test_extras_that_cannot_be_done_name_the_field_or_the_size(worker: TestClient, body: dict[str, Any]) -> None:
    body = {"upscaler_1": "Lanczos", **body}
    answer = invoke(worker, type="extras", parameters=body, images={"init": upload("init", init())})
    assert code_of(answer) == "parameter_invalid"
    assert written() == []


@pytest.mark.parametrize("mode", ["img2img", "sketch", None])
def test_img2img_starts_from_its_init_picture(worker: TestClient, mode: str | None) -> None:
    parameters = {"init_images": ["image:init"], "denoising_strength": 0}
    answer = invoke(worker, type="img2img", mode=mode, parameters=parameters, images={"init": upload("init", init())})
    assert stored(answer).tobytes() == init().tobytes()


@pytest.mark.parametrize("mode", ["inpaint", "inpaint_upload"])
def test_inpaint_changes_only_the_masked_part(worker: TestClient, mode: str) -> None:
    images = {"init": upload("init", init()), "mask": upload("mask", spot())}
    parameters = {"init_images": ["image:init"], "mask": "image:mask", "denoising_strength": 1, "seed": 3}
    result = stored(invoke(worker, type="img2img", mode=mode, parameters=parameters, images=images))
    assert result.getpixel((32, 32)) != (10, 120, 200)
    result.paste((10, 120, 200), (16, 16, 48, 48))
    assert result.tobytes() == init().tobytes()


def test_inpaint_sketch_takes_its_mask_from_the_sketch(worker: TestClient) -> None:
    sketch = init()
    ImageDraw.Draw(sketch).rectangle((16, 16, 47, 47), fill="yellow")
    images = {"init": upload("init", init()), "sketch": upload("sketch", sketch)}
    parameters = {"denoising_strength": 1, "seed": 3, "mask_blur": 0}
    result = stored(invoke(worker, type="img2img", mode="inpaint_sketch", parameters=parameters, images=images))
    assert result.getpixel((32, 32)) != (10, 120, 200)
    result.paste((10, 120, 200), (16, 16, 48, 48))
    assert result.tobytes() == init().tobytes()


def test_interrogate_clip_answers_a_sentence(worker: TestClient) -> None:
    answer = invoke(worker, type="interrogate_clip", images={"init": upload("init", init())})
    assert answer.caption
    assert "blue" in answer.caption
    assert (answer.images, written()) == ([], [])


def test_interrogate_deepbooru_answers_tags(worker: TestClient) -> None:
    answer = invoke(worker, type="interrogate_deepbooru", images={"init": upload("init", init())})
    assert "blue theme" in (answer.caption or "").split(", ")


# -- what goes wrong is told ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"not json", "body"),
        (b"[]", "body"),
        (b"{}", "job_id"),
        (json.dumps(work(type="video")).encode(), "type"),
        (json.dumps(work(type="img2img", mode="dream")).encode(), "mode"),
        (json.dumps(work(output="/tmp/out/")).encode(), "S3 URI"),  # noqa: S108
        (json.dumps(work(output=f"s3://{BUCKET}/jobs/1/output")).encode(), "slash"),
        (json.dumps(work(images={"init": "https://example.com/a.png"})).encode(), "S3 URI"),
    ],
)
def test_a_malformed_request_is_answered_400(worker: TestClient, body: bytes, names: str) -> None:
    response = worker.post("/invocations", content=body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "bad_request"
    assert names in response.json()["error"]["message"]


def test_a_bad_parameter_is_an_answer_that_names_it(worker: TestClient) -> None:
    answer = invoke(worker, parameters={"steps": 0})
    assert code_of(answer) == "parameter_invalid"
    assert answer.error
    assert "steps" in answer.error.message


def test_an_image_that_is_gone_is_named(worker: TestClient) -> None:
    answer = invoke(worker, type="interrogate_clip", images={"init": f"s3://{BUCKET}/images/gone"})
    assert code_of(answer) == "image_missing"
    assert answer.error
    assert "'init'" in answer.error.message


def test_an_image_that_was_never_named_is_missing_too(worker: TestClient) -> None:
    images = {"init": upload("init", init())}
    assert code_of(invoke(worker, type="img2img", mode="inpaint", images=images)) == "image_missing"


def test_a_broken_image_is_unreadable(worker: TestClient) -> None:
    s3().put_object(Bucket=BUCKET, Key="broken", Body=b"GIF89a and no more")
    answer = invoke(worker, type="interrogate_clip", images={"init": f"s3://{BUCKET}/broken"})
    assert code_of(answer) == "image_unreadable"


def test_an_error_answer_is_nothing_but_the_error(worker: TestClient) -> None:
    response = worker.post("/invocations", json=work(parameters={"steps": 0}))
    assert list(response.json()) == ["error"]


# -- cancel and progress -------------------------------------------------------------------------------


def test_a_job_cancelled_before_it_starts_paints_nothing(worker: TestClient) -> None:
    s3().put_object(Bucket=BUCKET, Key=f"jobs/{JOB}/cancelled", Body=b"")
    assert code_of(invoke(worker)) == "cancelled"
    assert written() == [f"jobs/{JOB}/cancelled"]


def test_somebody_elses_cancel_does_not_count(worker: TestClient) -> None:
    s3().put_object(Bucket=BUCKET, Key="jobs/other/cancelled", Body=b"")
    assert code_of(invoke(worker)) is None


def test_a_progress_message_is_sent_when_the_job_starts(worker: TestClient) -> None:
    sqs = boto3.client("sqs", region_name=REGION)
    queue = sqs.create_queue(QueueName="progress")["QueueUrl"]
    invoke(worker, progress_queue=queue)
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert len(messages) == 1
    progress = Progress.model_validate_json(messages[0]["Body"])
    assert (progress.job_id, progress.progress) == (JOB, 0.0)
    assert progress.started_at.endswith("Z")


def test_a_queue_that_is_gone_does_not_fail_the_job(worker: TestClient) -> None:
    queue = f"https://sqs.{REGION}.amazonaws.com/123456789012/gone"
    assert len(invoke(worker, progress_queue=queue).images) == 1


# -- the process ---------------------------------------------------------------------------------------


class SlowEngine(PreviewEngine):
    """Paints until it is let go, or until a step ends it."""

    def __init__(self) -> None:
        self.painting = threading.Event()
        self.go = threading.Event()
        self.side_by_side = 0
        self.most = 0

    def paint(self, task: Task) -> Iterator[Painting]:
        self.side_by_side += 1
        self.most = max(self.most, self.side_by_side)
        self.painting.set()
        try:
            while not self.go.wait(0.01):
                task.step(0.5)
            yield from super().paint(task)
        finally:
            self.side_by_side -= 1


class BrokenEngine(PreviewEngine):
    def load(self, request: WorkRequest) -> None:
        raise MemoryError("the prompt of somebody")


def serve(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> TestClient:
    monkeypatch.setitem(engines.ENGINES, "other", lambda: engine)
    return TestClient(create_app("other"))


def test_ping_answers_while_a_job_is_painted_and_jobs_wait_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SlowEngine()
    with serve(monkeypatch, engine) as worker, ThreadPoolExecutor(2) as callers:
        jobs = [callers.submit(invoke, worker) for _ in range(2)]
        assert engine.painting.wait(10)
        assert worker.get("/ping").status_code == 200
        engine.go.set()
        assert [len(job.result(10).images) for job in jobs] == [1, 1]
    assert engine.most == 1


def test_a_job_cancelled_while_it_is_painted_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.watch.LOOK_EVERY", 0.05)
    engine = SlowEngine()
    with serve(monkeypatch, engine) as worker, ThreadPoolExecutor(1) as caller:
        job = caller.submit(invoke, worker)
        assert engine.painting.wait(10)
        s3().put_object(Bucket=BUCKET, Key=f"jobs/{JOB}/cancelled", Body=b"")
        assert code_of(job.result(10)) == "cancelled"


def test_an_engine_that_breaks_is_a_500_with_a_reason_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(monkeypatch, BrokenEngine()) as worker:
        response = worker.post("/invocations", json=work())
        assert response.status_code == 500
        assert response.json()["error"] == {
            "code": "worker_failed",
            "message": "The worker failed with MemoryError.",
        }
        assert worker.get("/ping").status_code == 200


def test_an_engine_that_breaks_is_logged_by_type_and_place_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(monkeypatch, BrokenEngine()) as worker:
        worker.post("/invocations", json=work(parameters={"prompt": "canary-prompt"}))
    [record] = [record for record in caplog.records if record.name == "worker.server"]
    assert record.levelname == "ERROR"
    assert "MemoryError" in record.getMessage()
    assert "test_worker_http.py:" in record.getMessage()
    for secret in ("the prompt of somebody", "canary-prompt"):
        assert secret not in caplog.text


def test_a_stopped_worker_ends_at_once_and_in_order() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "worker.server", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: S603 - our own command
    try:
        for _ in range(200):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/ping").status_code == 200:
                    break
            time.sleep(0.05)
        process.terminate()
        assert process.wait(10) in (0, -signal.SIGTERM)
    finally:
        process.kill()
