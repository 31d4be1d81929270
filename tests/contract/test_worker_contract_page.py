"""docs/worker-contract.md shows what the code takes and gives, and what the first version said is still valid."""

import json
import re
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ConfigDict

from darkroom.checkpoints.model import ModelKey
from darkroom.jobs.answers import understand
from darkroom.jobs.contract import (
    Components,
    ModelFile,
    PaintedImage,
    Progress,
    Timings,
    UsedFile,
    WorkAnswer,
    WorkerMachine,
    WorkerState,
    WorkRequest,
)
from darkroom.jobs.manifests import confirmed, named_keys
from darkroom.jobs.media import EXTENSIONS
from darkroom.jobs.model import MODEL_KINDS
from darkroom.jobs.progress import parse
from darkroom.jobs.types import JOB_TYPES, Mode
from local.home import ROOT
from tests.support.http import call
from tests.support.stage import Stage, moto_stage

PAGE = (ROOT / "docs" / "worker-contract.md").read_text()
EXAMPLES: list[dict[str, Any]] = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)]
STATE, REQUEST, ANSWER, PROGRESS = EXAMPLES


def test_every_example_of_the_page_is_of_its_shape() -> None:
    assert WorkerState.model_validate(STATE).model_dump() == STATE
    taken = WorkRequest.model_validate(REQUEST)
    assert taken.model_dump(mode="json", exclude_unset=True) == REQUEST
    assert WorkAnswer.model_validate(ANSWER).model_dump(mode="json", exclude_unset=True) == ANSWER
    understood = understand(taken.job_id, json.dumps(ANSWER).encode())
    assert understood.error is None
    checked = confirmed(understood, dict.fromkeys(named_keys(understood), ANSWER["images"][0]["bytes"]))
    assert checked == understood
    assert [image.model_dump(exclude_none=True) for image in checked.images] == ANSWER["images"]
    assert list(checked.notices) == ANSWER["notices"]
    assert checked.components == Components.model_validate(ANSWER["components"])
    assert isinstance(parse(json.dumps(PROGRESS)), Progress)


@pytest.mark.parametrize(
    "shape",
    [
        *(WorkerState, WorkRequest, ModelFile, WorkAnswer, PaintedImage, Timings, Components, UsedFile, Progress),
        WorkerMachine,
    ],
)
def test_the_page_names_every_field_of_every_shape(shape: type[BaseModel]) -> None:
    assert [name for name in shape.model_fields if not re.search(rf"[`\"]{name}[`\"]", PAGE)] == []


def test_the_page_names_every_type_mode_kind_and_extension() -> None:
    names = [*JOB_TYPES, *get_args(Mode), *MODEL_KINDS, *EXTENSIONS]
    assert [name for name in names if f"`{name}`" not in PAGE] == []
    answers = dict(re.findall(r"^\| (`.+?) \|.*\| (pictures|a caption) \|$", PAGE, re.M))
    told = {name: kind for names, kind in answers.items() for name in re.findall("`([a-z0-9_]+)`", names)}
    assert told == {name: rules.answers_with.replace("caption", "a caption") for name, rules in JOB_TYPES.items()}


class FirstVersionFile(BaseModel):
    """A model file as a worker of the first version reads it. What the shelf knows of its bytes is told since the
    second, and left alone."""

    model_config = ConfigDict(extra="ignore")

    name: str
    s3: str | None


class FirstVersionRequest(BaseModel):
    """A job as a strict worker of the first version reads it: every field is there, and no other."""

    model_config = ConfigDict(extra="forbid")

    job_id: str
    type: str
    mode: str | None
    parameters: dict[str, Any]
    images: dict[str, str]
    checkpoint: FirstVersionFile | None
    models: dict[str, list[FirstVersionFile]]
    output: str
    progress_queue: str | None


FIRST_VERSION_ANSWER = {
    "images": [{"key": "jobs/%s/output/0.png", "width": 512, "height": 512, "seed": 7, "infotext": "a pier"}],
    "info": {"all_seeds": [7]},
    "timings": {"model": 1.2, "run": 8.4},
}


@pytest.fixture
def stage() -> Any:
    with moto_stage() as made:
        yield made


def test_a_worker_of_the_first_version_reads_every_job_of_its_time(stage: Stage) -> None:
    stage.model("film.safetensors", "lora")
    body = {
        "type": "txt2img",
        "checkpoint": "v1-5.safetensors",
        "models": {"vae": "None", "lora": ["film.safetensors"]},
        "parameters": {"prompt": "a pier"},
    }
    assert call("POST", "/jobs", body).status == 201
    sent = {name: value for name, value in stage.sagemaker.invoked[-1].items() if name != "endpoint"}
    read = FirstVersionRequest.model_validate(sent)
    assert read.checkpoint == FirstVersionFile(
        name="v1-5.safetensors", s3=f"s3://models/{ModelKey('stable-diffusion', 'v1-5.safetensors').default_object}"
    )
    assert read.models["vae"] == [FirstVersionFile(name="None", s3=None)]


def test_an_answer_of_the_first_version_means_what_it_meant() -> None:
    job_id = REQUEST["job_id"]
    understood = understand(job_id, json.dumps(FIRST_VERSION_ANSWER).replace("%s", job_id).encode())
    assert understood.error is None
    assert [(image.width, image.seed, image.infotext) for image in understood.images] == [(512, 7, "a pier")]
    assert understood.timings
    assert understood.timings.busy == 9.6
    assert (understood.notices, understood.components) == ((), None)
    assert understand(job_id, b'{"caption": "a lighthouse"}').caption == "a lighthouse"
