"""An endpoint that says its engine takes only what this engine does: nothing else reaches it, and no GPU wakes."""

from typing import Any

import pytest

from darkroom.errors import Busy
from tests.support.http import Reply, call
from tests.support.stage import Stage

JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "endpoint": "painter"}


@pytest.fixture
def painter(stage: Stage) -> Stage:
    """A stage with an endpoint that paints with `diffusers`, in service."""
    made = call("POST", "/endpoints", {"name": "painter", "engine": "diffusers"}, role="admin")
    assert (made.status, made.json["engine"]) == (201, "diffusers")
    stage.sagemaker.settle()
    return stage


def submit(**parameters: Any) -> Reply:
    return call("POST", "/jobs", {**JOB, "parameters": {"prompt": "a pier", **parameters}})


@pytest.mark.parametrize(
    ("parameters", "field", "words"),
    [
        ({"sampler_name": "Heun++ 3"}, "sampler_name", "'Heun++ 3'"),
        ({"scheduler": "Turbo"}, "scheduler", "'Turbo'"),
        ({"alwayson_scripts": {"ADetailer": {"args": [True]}}}, "alwayson_scripts", "'adetailer'"),
        ({"script_name": "X/Y/Z plot", "script_args": [1]}, "script_name", "'x/y/z plot'"),
        ({"enable_hr": True, "hr_scale": 4, "width": 2048, "height": 2048}, "hr_scale", "16,777,216"),
        ({"override_settings": {"samples_format": "avif"}}, "override_settings", "png, jpg, jpeg, webp"),
    ],
)
def test_what_the_engine_does_not_take_is_refused_by_name(
    painter: Stage, parameters: dict[str, Any], field: str, words: str
) -> None:
    refused = submit(**parameters)
    assert (refused.status, refused.code) == (422, "engine_refuses")
    [error] = refused.json["errors"]
    assert error["loc"][:3] == ["body", "parameters", field]
    assert words in error["msg"]
    assert words in refused.json["detail"]
    assert painter.sagemaker.invoked == []
    assert call("GET", "/jobs").json["jobs"] == []


def test_what_it_takes_is_painted(painter: Stage) -> None:
    made = submit(sampler_name="DPM++ 2M Karras", steps=150, alwayson_scripts={"ADetailer": {"args": [False]}})
    assert made.status == 201
    assert [invoked["endpoint"] for invoked in painter.sagemaker.invoked] == ["darkroom-test-painter"]


def test_a_container_of_ones_own_is_asked_nothing(stage: Stage) -> None:
    assert call("POST", "/endpoints", {"name": "painter", "image": "mine:1"}, role="admin").status == 201
    stage.sagemaker.settle()
    assert submit(sampler_name="Heun++ 3", restore_faces=True).status == 201


def test_an_engine_that_sagemaker_does_not_tell_now_refuses_nothing(
    painter: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(arn: str) -> dict[str, str]:
        raise Busy("aws_busy", arn)

    monkeypatch.setattr(painter.sagemaker, "tags", busy)
    assert submit(sampler_name="Heun++ 3").status == 201
    monkeypatch.undo()
    assert submit(sampler_name="Heun++ 3").code == "engine_refuses"


def test_a_replay_is_judged_as_well(painter: Stage) -> None:
    first = call("POST", "/jobs", {**JOB, "endpoint": "a", "parameters": {"prompt": "x", "sampler_name": "Heun++ 3"}})
    assert first.status == 201
    painter.sagemaker.endpoints = [each for each in painter.sagemaker.endpoints if each.name != "darkroom-test-a"]
    painter.services.endpoints.forget()
    assert call("POST", f"/jobs/{first.json['id']}/replay").code == "engine_refuses"


def test_only_known_engines_can_be_named(stage: Stage) -> None:
    assert call("POST", "/endpoints", {"name": "x", "engine": "comfy"}, role="admin").status == 422


def test_the_container_is_told_its_engine(stage: Stage) -> None:
    from darkroom.aws.endpoints import EndpointDefaults, SageMakerControl, SageMakerEndpoints
    from darkroom.endpoints.api import EndpointIn
    from darkroom.endpoints.containers import StageWorker
    from darkroom.endpoints.spec import Planner

    client = stage.clients("sagemaker")
    source = SageMakerEndpoints(client, "darkroom-test-")
    role, topic = "arn:aws:iam::123456789012:role/worker", "arn:aws:sns:eu-west-1:1:results"
    defaults = EndpointDefaults(role, "pictures", topic, "weights_only", "s3://models/compiled/")
    planner = Planner("test", StageWorker("ml.g5.xlarge", "worker:1"), lambda name: f"darkroom-test-{name}")
    told = planner.spec("alice", EndpointIn(name="told", engine="diffusers"))
    plain = planner.spec("alice", EndpointIn(name="told"))
    control = SageMakerControl(client, source, defaults)
    for spec in (told, plain):
        control.make_model(spec)
    environments = [
        client.describe_model(ModelName=spec.parts)["PrimaryContainer"]["Environment"] for spec in (told, plain)
    ]
    common = {
        "DARKROOM_JOBS_AT_ONCE": "1",
        "DARKROOM_PICKLES": "weights_only",
        "DARKROOM_COMPILED": "s3://models/compiled/",
    }
    assert environments == [
        {**common, "DARKROOM_ENGINE": "diffusers"},
        common,
    ]
    assert told.parts != plain.parts
