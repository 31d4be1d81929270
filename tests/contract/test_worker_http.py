"""The worker over HTTP, with S3 and SQS behind it: everything that `docs/worker-contract.md` says."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from moto import mock_aws
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

from darkroom.jobs.contract import Progress, WorkAnswer, WorkRequest
from tests.support.pictures import encoded
from worker import engines
from worker.engines import Engine, Painting, Task
from worker.engines.preview import PreviewEngine
from worker.server import create_app

BUCKET = "pictures"
JOB = "0192f0c1-1111-7000-8000-000000000001"
REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def aws_in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
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
    s3().put_object(Bucket=BUCKET, Key=f"images/ann/{name}", Body=encoded(image))
    return f"s3://{BUCKET}/images/ann/{name}"


def job_body(**fields: Any) -> dict[str, Any]:
    return {
        "job_id": JOB,
        "type": "txt2img",
        "parameters": {"prompt": "a pier", "seed": 5, "steps": 20, "width": 64, "height": 64},
        "output": f"s3://{BUCKET}/jobs/{JOB}/output/",
        **fields,
    }


def invoke(worker: TestClient, **fields: Any) -> WorkAnswer:
    response = worker.post("/invocations", json=job_body(**fields))
    assert response.status_code == 200, response.text
    return WorkAnswer.model_validate_json(response.text)


def stored_picture(answer: WorkAnswer, number: int = 0) -> Image.Image:
    body = s3().get_object(Bucket=BUCKET, Key=answer.images[number].key)["Body"].read()
    image = Image.open(io.BytesIO(body))
    image.load()
    return image


def code_of(answer: WorkAnswer) -> str | None:
    return answer.error.code if answer.error else None


def job_keys() -> list[str]:
    listed = s3().list_objects_v2(Bucket=BUCKET, Prefix="jobs/").get("Contents", [])
    return [entry["Key"] for entry in listed]


def init_picture() -> Image.Image:
    return Image.new("RGB", (64, 64), (10, 120, 200))


def square_mask(colour: Any = 255, mode: str = "L") -> Image.Image:
    mask = Image.new(mode, (64, 64), 0)
    ImageDraw.Draw(mask).rectangle((16, 16, 47, 47), fill=colour)
    return mask


# -- health --------------------------------------------------------------------------------------------


def test_ping_answers_without_aws(worker: TestClient) -> None:
    assert worker.get("/ping").json() == {"status": "ok", "engine": "preview"}


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
    assert answer.timings.model is not None
    assert answer.timings.run is not None


def test_the_answer_describes_the_stored_bytes(worker: TestClient) -> None:
    image = invoke(worker).images[0]
    stored = s3().get_object(Bucket=BUCKET, Key=image.key)
    body = stored["Body"].read()
    digest = hashlib.sha256(body)
    assert (image.sha256, image.bytes) == (digest.hexdigest(), len(body))
    assert stored["ContentType"] == "image/png"
    picture = Image.open(io.BytesIO(body))
    assert picture.size == (image.width, image.height)
    assert picture.info["parameters"] == image.infotext
    assert "Seed: 5, Size: 64x64" in (image.infotext or "")


def test_a_second_attempt_writes_the_same_keys_and_bytes(worker: TestClient) -> None:
    parameters = {"prompt": "a pier", "width": 64, "height": 64}
    assert invoke(worker, parameters=parameters).images == invoke(worker, parameters=parameters).images
    assert len(job_keys()) == 1


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


# -- cancel and progress -------------------------------------------------------------------------------


def test_a_job_cancelled_before_it_starts_paints_nothing(worker: TestClient) -> None:
    s3().put_object(Bucket=BUCKET, Key=f"jobs/{JOB}/cancelled", Body=b"")
    assert code_of(invoke(worker)) == "cancelled"
    assert job_keys() == [f"jobs/{JOB}/cancelled"]


def test_the_cancel_marker_of_another_job_does_not_count(worker: TestClient) -> None:
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


def test_a_missing_progress_queue_does_not_fail_the_job(worker: TestClient) -> None:
    queue = f"https://sqs.{REGION}.amazonaws.com/123456789012/missing"
    assert len(invoke(worker, progress_queue=queue).images) == 1


# -- the process ---------------------------------------------------------------------------------------


class SlowEngine(PreviewEngine):
    """Paints until the test sets `finish`, or until a step stops the job. It counts jobs that run at the same time."""

    def __init__(self) -> None:
        self.painting = threading.Event()
        self.finish = threading.Event()
        self.running = 0
        self.most_at_once = 0

    def paint(self, task: Task) -> Iterator[Painting]:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        self.painting.set()
        try:
            while not self.finish.wait(0.01):
                task.step(0.5)
            yield from super().paint(task)
        finally:
            self.running -= 1


class BrokenEngine(PreviewEngine):
    """Fails before it paints, with a message that must not be passed on."""

    def load(self, request: WorkRequest) -> None:
        raise MemoryError("secret-prompt")


def worker_with(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> TestClient:
    """A worker with this engine, as a context manager."""
    monkeypatch.setitem(engines.ENGINES, "other", lambda: engine)
    return TestClient(create_app("other"))


def test_ping_answers_while_a_job_is_painted_and_a_second_job_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SlowEngine()
    with worker_with(monkeypatch, engine) as worker, ThreadPoolExecutor(2) as callers:
        jobs = [callers.submit(invoke, worker) for _ in range(2)]
        assert engine.painting.wait(10)
        assert worker.get("/ping").status_code == 200
        engine.finish.set()
        assert [len(job.result(10).images) for job in jobs] == [1, 1]
    assert engine.most_at_once == 1


def test_a_job_cancelled_while_it_is_painted_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.watch.LOOK_EVERY", 0.05)
    engine = SlowEngine()
    with worker_with(monkeypatch, engine) as worker, ThreadPoolExecutor(1) as caller:
        job = caller.submit(invoke, worker)
        assert engine.painting.wait(10)
        s3().put_object(Bucket=BUCKET, Key=f"jobs/{JOB}/cancelled", Body=b"")
        assert code_of(job.result(10)) == "cancelled"


def test_an_engine_that_breaks_is_a_500_with_a_reason_and_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    with worker_with(monkeypatch, BrokenEngine()) as worker:
        response = worker.post("/invocations", json=job_body())
        assert response.status_code == 500
        assert response.json()["error"] == {
            "code": "worker_failed",
            "message": "The worker failed with MemoryError.",
        }
        assert worker.get("/ping").status_code == 200


def test_an_engine_that_breaks_is_logged_by_type_and_place_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with worker_with(monkeypatch, BrokenEngine()) as worker:
        worker.post("/invocations", json=job_body(parameters={"prompt": "canary-prompt"}))
    [record] = [record for record in caplog.records if record.name == "worker.server"]
    assert record.levelname == "ERROR"
    assert "MemoryError" in record.getMessage()
    assert "test_worker_http.py:" in record.getMessage()
    for secret in ("secret-prompt", "canary-prompt"):
        assert secret not in caplog.text


def test_a_worker_ends_on_sigterm() -> None:
    command = [sys.executable, "-m", "worker.server", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr
            assert any("Uvicorn running on" in line for line in process.stderr), "the worker did not start"
            process.terminate()
            assert process.wait(10) in (0, -signal.SIGTERM)
        finally:
            process.kill()
