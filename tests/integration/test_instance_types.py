"""Jobs of an endpoint with several instance types: what they cost is known at their end."""

from typing import Any

import pytest

from bench.calls import counted
from tests.support.events import completed, deliver, manifest
from tests.support.http import call
from tests.support.sagemaker import LONG_AGO, Details
from tests.support.stage import Stage

JOB = {"type": "txt2img", "checkpoint": "v1-5.safetensors", "parameters": {"prompt": "a pier"}}
G5, G4, G52 = "ml.g5.xlarge", "ml.g4dn.xlarge", "ml.g5.2xlarge"
PRICES = {G5: 3.6, G4: 1.8, G52: 7.2}
NAME = "darkroom-test-a"
NOW = "2026-06-01T12:00:00.000Z"


@pytest.fixture
def pooled(stage: Stage) -> Stage:
    """A stage whose endpoint prefers a g5 to a g4dn, and one of the latter runs."""
    stage.configure(prices=PRICES)
    running(stage, {G5: 0, G4: 1})
    return stage


def running(stage: Stage, counts: dict[str, int]) -> None:
    preferred, *others = counts
    stage.sagemaker.details[NAME] = Details(
        "config", sum(counts.values()), preferred, fallbacks=tuple(others), running=counts
    )


def made() -> str:
    return str(call("POST", "/jobs", JOB).json["id"])


def ended(job_id: str, at: str | None = NOW, **machine: Any) -> dict[str, Any]:
    """The job after its worker answered, at this time, after four seconds of work."""
    told = {"machine": machine} if machine else {}
    message = completed(job_id, manifest(job_id, timings={"load": 2.5, "run": 1.5}, **told))
    assert deliver(message | ({"eventTime": at} if at else {})) == []
    return dict(call("GET", f"/jobs/{job_id}").json)


def priced(job: dict[str, Any]) -> tuple[Any, ...]:
    assert job["status"] == "succeed"
    return job["instance_type"], job["cost"], job["cost_estimated"]


def test_an_open_job_does_not_know_its_type_yet(pooled: Stage) -> None:
    job = call("GET", f"/jobs/{made()}").json
    assert (job["instance_type"], job["cost"], job["cost_estimated"]) == (None, None, False)


def test_with_one_type_awake_a_job_costs_its_price(pooled: Stage) -> None:
    assert priced(ended(made())) == (G4, 0.002, False)


@pytest.mark.parametrize(
    ("machine", "instance_type", "cost"),
    [
        ({"gpu": "NVIDIA A10G", "cpus": 4}, G5, 0.004),
        ({"gpu": "Tesla T4"}, G4, 0.002),
        ({"instance_type": G4, "gpu": "NVIDIA A10G"}, G4, 0.002),
    ],
)
def test_with_two_types_awake_the_worker_tells(
    pooled: Stage, machine: dict[str, Any], instance_type: str, cost: float
) -> None:
    running(pooled, {G5: 1, G4: 1})
    job_id = made()
    with counted(pooled) as calls:
        job = ended(job_id, **machine)
    assert priced(job) == (instance_type, cost, False)
    # One write more than the job of another endpoint has, and SageMaker is not asked.
    assert (calls["UpdateItem"], calls["DescribeEndpoint"]) == (2, 0)


def test_two_types_with_one_gpu_are_told_apart_by_their_processors(pooled: Stage) -> None:
    running(pooled, {G5: 1, G52: 1})
    assert priced(ended(made(), gpu="NVIDIA A10G", cpus=8)) == (G52, 0.008, False)
    assert priced(ended(made(), gpu="NVIDIA A10G", cpus=6)) == (G52, 0.008, True)


@pytest.mark.parametrize(
    "machine",
    [
        {},
        {"gpu": "Radeon"},
        {"gpu": "NVIDIA L4"},
        {"instance_type": "ml.p5.48xlarge"},
        {"instance_type": 7, "cpus": "many"},
        {"gpu": "x" * 10_000},
        {"instance_type": "ml", "gpu": "", "cpus": -1},
    ],
)
def test_when_nobody_can_tell_the_dearer_type_counts_as_an_estimate(pooled: Stage, machine: dict[str, Any]) -> None:
    running(pooled, {G5: 1, G4: 1})
    assert priced(ended(made(), **machine)) == (G5, 0.004, True)
    [line] = call("GET", "/jobs").json["jobs"]
    assert (line["cost"], line["cost_estimated"]) == (0.004, True)
    summary = call("GET", "/jobs/summary").json
    assert (summary["cost"], summary["cost_estimated"], summary["cost_unknown"]) == (0.004, 1, 0)
    assert "cost_estimated" in call("GET", "/jobs", headers={"Accept": "text/csv"}).body.splitlines()[0]


@pytest.mark.parametrize("at", [None, "soon", LONG_AGO])
def test_what_is_awake_now_tells_nothing_of_a_run_before_the_endpoint_changed(pooled: Stage, at: str | None) -> None:
    assert priced(ended(made(), at)) == (G5, 0.004, True)


def test_a_job_ends_while_sagemaker_does_not_answer(pooled: Stage) -> None:
    job_id = made()

    def fails(call: str) -> None:
        if call == "DescribeEndpoint":
            raise RuntimeError("no answer")

    pooled.sagemaker.on_call = fails
    assert priced(ended(job_id)) == (G5, 0.004, True)


def test_a_type_without_a_price_makes_the_cost_unknown_unless_the_job_ran_on_another(pooled: Stage) -> None:
    pooled.configure(prices={G4: 1.8})
    running(pooled, {G5: 1, G4: 1})
    assert priced(ended(made(), gpu="Tesla T4")) == (G4, 0.002, False)
    assert priced(ended(made())) == (None, None, False)


def test_the_same_end_again_asks_nobody_and_changes_nothing(pooled: Stage) -> None:
    job_id = made()
    before = ended(job_id)
    running(pooled, {G5: 1, G4: 0})
    with counted(pooled) as calls:
        assert priced(ended(job_id)) == priced(before)
    assert calls["DescribeEndpoint"] == 0


def test_a_job_of_an_endpoint_with_one_type_makes_no_call_more(stage: Stage) -> None:
    job_id = made()
    with counted(stage) as calls:
        ended(job_id, gpu="Tesla T4")
    assert (calls["UpdateItem"], calls["DescribeEndpoint"]) == (1, 0)
    assert call("GET", f"/jobs/{job_id}").json["instance_type"] == G5


def test_jobs_side_by_side_share_the_price(pooled: Stage) -> None:
    pooled.sagemaker.details[NAME].at_once = 2
    assert priced(ended(made())) == (G4, 0.001, False)


def test_a_waiting_job_says_which_type_is_tried(pooled: Stage) -> None:
    job_id = made()
    told = pooled.sagemaker.details[NAME]
    told.instances, told.running = 0, {G5: 0, G4: 0}

    def detail() -> str:
        pooled.services.endpoints.forget()
        shown = call("GET", f"/jobs/{job_id}").json
        assert shown["phase"] == "waking"
        return str(shown["phase_detail"])

    assert f"It takes {G5}, else {G4}." in detail()
    pooled.sagemaker.move(NAME, "Updating")
    told.said = f"InsufficientInstanceCapacity: {G5}. Provisioning {G4}."
    assert f"{G5} is not to be had now, {G4} is being tried." in detail()
    told.said = f"InsufficientInstanceCapacity: {G5}, {G4}. Provisioning {G5}."
    none_left = f"{G5} and {G4} are not to be had now, and the job waits until one is."
    assert none_left in detail()
    # SageMaker gave up, and named no type.
    pooled.sagemaker.move(NAME, "InService")
    told.said, told.failure = None, "Unable to provision requested ML compute capacity. Please retry."
    assert none_left in detail()
