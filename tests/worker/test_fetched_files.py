"""The engine on files that it fetches from S3 itself, and the measurement of their way."""

import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import torch
from moto import mock_aws

from bench.worker_files import rows
from darkroom.jobs.contract import ModelFile, WorkAnswer, WorkRequest
from tests.worker.files import CPU, checkpoint_file
from tests.worker.jobs import request_of
from worker.cache import Cache
from worker.engines.diffusers.engine import DiffusersEngine
from worker.engines.diffusers.models import Models
from worker.model_files import ModelFiles
from worker.store import Store
from worker.turns import Turns
from worker.work import perform

NAME = "tiny-sd15"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """S3 in memory, with the checkpoint and a bucket for pictures."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        for bucket in ("models", "pictures"):
            client.create_bucket(Bucket=bucket)
        client.put_object(Bucket="models", Key="the/checkpoint", Body=checkpoint_file(NAME).read_bytes())
        yield


def job() -> WorkRequest:
    checkpoint = ModelFile(name=f"{NAME}.safetensors", s3="s3://models/the/checkpoint")
    return request_of(NAME).model_copy(update={"checkpoint": checkpoint})


def done(folder: Path) -> WorkAnswer:
    """The answer of a worker that has just started and has that folder for its copies."""
    engine = DiffusersEngine(ModelFiles(Store(), Cache(folder, keep_free=0)), Models(CPU))
    never = threading.Event()
    return perform(job(), engine, Store(), never, None, Turns(1, never))


def test_a_job_is_painted_from_s3_from_the_copy_and_from_a_copy_that_was_damaged(s3: None, tmp_path: Path) -> None:
    fetched = done(tmp_path)
    assert fetched.error is None
    assert fetched.components
    [used] = fetched.components.files
    [copy] = tmp_path.glob("*.safetensors")
    kept = done(tmp_path)
    with copy.open("r+b") as file:
        file.seek(copy.stat().st_size // 2)
        file.write(b"damage")
    mended = done(tmp_path)
    pictures = [[image.sha256 for image in answer.images] for answer in (fetched, kept, mended)]
    assert pictures[0] == pictures[1] == pictures[2] != []
    assert copy.read_bytes() == checkpoint_file(NAME).read_bytes()
    assert used.name == f"{NAME}.safetensors"
    assert f"Model hash: {used.sha256[:10] if used.sha256 else ''}" in (fetched.images[0].infotext or "")


def test_a_file_that_s3_does_not_have_ends_the_job_by_its_name(s3: None, tmp_path: Path) -> None:
    boto3.client("s3", region_name="us-east-1").delete_object(Bucket="models", Key="the/checkpoint")
    answer = done(tmp_path)
    assert answer.error
    assert answer.error.code == "model_unreadable"
    assert NAME in answer.error.message


def test_the_measurement_judges_no_budget_without_a_gpu() -> None:
    found = rows(tiny=True)
    assert len(found) == 2
    assert all(row.figure and row.budget for row in found)
    if not torch.cuda.is_available():
        assert [row.met for row in found] == [None, None]
