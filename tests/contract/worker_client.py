"""The worker as the contract tests use it: jobs for it, pictures for the jobs, and S3 behind it in memory."""

import io
from functools import cache
from typing import Any

import boto3
import pytest
from PIL import Image, ImageDraw
from starlette.testclient import TestClient

from darkroom.jobs.contract import WorkAnswer
from tests.support.pictures import encoded
from worker import engines
from worker.engines import Engine
from worker.server import create_app

BUCKET = "pictures"
JOB = "0192f0c1-1111-7000-8000-000000000001"
REGION = "eu-west-1"


@cache
def s3() -> Any:
    """A client of S3, made once: moto answers it in every test from a new, empty AWS."""
    return boto3.client("s3", region_name=REGION)


def upload(name: str, image: Image.Image) -> str:
    """Store a picture as an input of a job; its S3 URI."""
    s3().put_object(Bucket=BUCKET, Key=f"images/ann/{name}", Body=encoded(image))
    return f"s3://{BUCKET}/images/ann/{name}"


def job_body(**fields: Any) -> dict[str, Any]:
    """The body of a request for a small txt2img job, with these fields changed."""
    return {
        "job_id": JOB,
        "type": "txt2img",
        "parameters": {"prompt": "a pier", "seed": 5, "steps": 20, "width": 64, "height": 64},
        "output": f"s3://{BUCKET}/jobs/{JOB}/output/",
        **fields,
    }


def invoke(worker: TestClient, **fields: Any) -> WorkAnswer:
    """Send a job and return the answer, which must have status 200."""
    response = worker.post("/invocations", json=job_body(**fields))
    assert response.status_code == 200, response.text
    return WorkAnswer.model_validate_json(response.text)


def stored_picture(answer: WorkAnswer, number: int = 0) -> Image.Image:
    """A picture of the answer as it is stored in S3."""
    body = s3().get_object(Bucket=BUCKET, Key=answer.images[number].key)["Body"].read()
    image = Image.open(io.BytesIO(body), formats=["png"])
    image.load()
    return image


def code_of(answer: WorkAnswer) -> str | None:
    """The code of the answer's error, None when there is no error."""
    return answer.error.code if answer.error else None


def job_keys() -> list[str]:
    """The keys of all objects of jobs."""
    listed = s3().list_objects_v2(Bucket=BUCKET, Prefix="jobs/").get("Contents", [])
    return [entry["Key"] for entry in listed]


def init_picture() -> Image.Image:
    return Image.new("RGB", (64, 64), (10, 120, 200))


def square_mask(colour: Any = 255, mode: str = "L") -> Image.Image:
    """A black mask with a square in its middle."""
    mask = Image.new(mode, (64, 64), 0)
    ImageDraw.Draw(mask).rectangle((16, 16, 47, 47), fill=colour)
    return mask


def worker_with(monkeypatch: pytest.MonkeyPatch, engine: Engine, jobs_at_once: int = 1) -> TestClient:
    """A worker with this engine, as a context manager."""
    monkeypatch.setitem(engines.ENGINES, "other", lambda: engine)
    return TestClient(create_app("other", jobs_at_once))
