"""Each function reads the settings that the stack gives it: all of them, and no other."""

import importlib
import os
from collections.abc import Callable
from typing import Any

import pytest

from bench.chaos import PUT_FORWARD
from darkroom import ids, wiring
from darkroom.aws.job_items import to_item
from darkroom.jobs.model import Job, JobLine
from darkroom.settings import NotGiven, Settings
from infra.functions import FUNCTIONS
from tests.support.aws import SETTINGS
from tests.support.events import TEST, deliver_to, progress, stopped
from tests.support.http import Context, call
from tests.support.pictures import image_id, png
from tests.support.sagemaker import Details
from tests.support.stage import Stage, plain_client

JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
MODEL = {"kind": "lora", "name": "ink.safetensors"}
PICTURE = {"sha256": image_id(png()), "bytes": len(png()), "content_type": "image/png"}
ENDPOINT_EVENT = {"detail": {"EndpointName": "darkroom-test-a"}}


def handle(function: str, event: Any) -> None:
    importlib.import_module(f"functions.{function}.handler").handler(event, Context())


def ask_jobs() -> None:
    call("GET", "/ping")
    call("POST", "/images", PICTURE)
    call("POST", "/jobs", JOB)
    call("GET", "/jobs/summary")
    call("POST", "/jobs/delete", {"filters": {"all": True}})


def ask_checkpoints() -> None:
    call("POST", "/checkpoints", {**MODEL, "size": 4096})
    call("POST", "/checkpoints/import", {**MODEL, "url": "https://models.example.com/ink.safetensors"})


def ask_endpoints() -> None:
    call("GET", "/endpoints")
    call("POST", "/endpoints", {"name": "x"})
    call("POST", "/endpoints/a/warm?for=1h")
    call("DELETE", "/endpoints/darkroom-test-a")


def open_job() -> str:
    """A job that is open on an endpoint that sleeps; its id."""
    line = JobLine(ids.new_id(), "alice", "txt2img", "created", endpoint="darkroom-test-a")
    plain_client("dynamodb").put_item(TableName=SETTINGS.jobs_table, Item=to_item(Job(line, {}), 1))
    return line.id


def hear_of_jobs() -> None:
    """A job whose worker was stopped is handed over again."""
    assert deliver_to("job_events", TEST, stopped(open_job())) == []


def hear_of_an_endpoint() -> None:
    """One that fell asleep while a job came."""
    open_job()
    deliver_to("endpoint_events", ENDPOINT_EVENT)


def scale() -> None:
    open_job()
    handle("scaler", {})
    # With the endpoint awake, how long it is kept so is read.
    handle("scaler", {})


LIVES: dict[str, Callable[[], Any]] = {
    "authorizer": lambda: handle(
        "authorizer", {"headers": {"Authorization": "Bearer a-very-long-admin-secret"}, "methodArn": "arn/v1/GET/jobs"}
    ),
    "jobs_api": ask_jobs,
    "checkpoints_api": ask_checkpoints,
    "endpoints_api": ask_endpoints,
    "keys_api": lambda: call("GET", "/keys"),
    "costs_api": lambda: (call("GET", "/costs"), call("GET", "/budgets")),
    "dead_letters_api": lambda: call("GET", "/dead-letters"),
    "job_deletions": lambda: (deliver_to("job_deletions", "no step"), wiring.stage().ledger),
    "job_events": hear_of_jobs,
    "job_progress": lambda: deliver_to("job_progress", progress(ids.new_id(), 0.5)),
    "checkpoint_imports": lambda: deliver_to("checkpoint_imports", "no step"),
    "endpoint_events": hear_of_an_endpoint,
    "unpack_asset": lambda: wiring.stage().assets,
    "sweeper": lambda: handle("sweeper", {}),
    "scaler": scale,
}
"""What makes each function build all its parts."""


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the settings that anybody reads."""
    names: set[str] = set()

    def note(settings: Settings, name: str) -> Any:
        if name in Settings.model_fields:
            names.add(name)
        return object.__getattribute__(settings, name)

    monkeypatch.setattr(Settings, "__getattribute__", note, raising=False)
    return names


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_reads_exactly_the_settings_it_is_given(
    stage: Stage, function: str, read: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = SETTINGS.environment(FUNCTIONS[function].settings)
    for variable in [name for name in os.environ if name.startswith("DARKROOM_") and name not in given]:
        monkeypatch.delenv(variable)
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    for room, adapter in (("endpoints", "SageMakerEndpoints"), ("endpoints", "SageMakerControl"),
                          ("sagemaker", "SageMakerInference"), ("waking", "ByCount")):  # fmt: skip
        monkeypatch.setattr(f"darkroom.aws.{room}.{adapter}", lambda *_: stage.sagemaker)
    monkeypatch.setattr("darkroom.aws.scaling.AutoScaling", lambda *_: stage.scaling)
    services = wiring.build(Settings.from_environment(), stage.clients)
    monkeypatch.setattr(wiring, "stage", lambda: services)
    # An endpoint that is to be woken.
    stage.sagemaker.tagged["darkroom-test-a"] = {"darkroom:min": "0", "darkroom:max": "1"}
    stage.sagemaker.details["darkroom-test-a"] = Details(instances=0)
    read.clear()
    LIVES[function]()
    assert sorted(read) == sorted(FUNCTIONS[function].settings), "see infra/functions.py"


def test_a_setting_that_was_not_given_is_told_by_name() -> None:
    settings = Settings.from_environment({"DARKROOM_STAGE": "test"})
    assert settings.endpoint_prefix == "darkroom-test-"
    with pytest.raises(NotGiven, match=r"DARKROOM_JOBS_TABLE is not in the environment.*add 'jobs_table'"):
        _ = settings.jobs_table
    with pytest.raises(NotGiven, match="DARKROOM_FEED_SHARDS"):
        _ = settings.feed_shards
    with pytest.raises(AttributeError, match="nonsense"):
        _ = settings.nonsense  # type: ignore[attr-defined]


def test_the_times_of_the_chaos_run_are_taken() -> None:
    told = {f"DARKROOM_{name}": value for name, value in PUT_FORWARD.items()}
    assert Settings.from_environment(told).job_wait_seconds == 1


def test_settings_come_through_an_environment_as_they_went_in() -> None:
    settings = SETTINGS.model_copy(update={"worker_image": None, "origins": ("https://a.example", "https://b.example")})
    assert Settings.from_environment(settings.environment()) == settings
