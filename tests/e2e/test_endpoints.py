"""The whole life of an endpoint on the local stack, where every call is held to its caller's permissions."""

from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest

from darkroom_client import Refused
from tests.e2e.conftest import Running, txt2img
from tests.support.waiting import eventually

NAME = "darkroom-local-life"


def shown(darkroom: Running) -> dict[str, Any]:
    found: dict[str, Any] = darkroom.client.request("GET", f"/endpoints/{NAME}")
    return found


def simulator(darkroom: Running, service: str) -> Any:
    """A client of what plays SageMaker and Application Auto Scaling."""
    session = boto3.session.Session("test", "test", region_name="us-east-1")
    return session.client(service, endpoint_url=darkroom.stack.sagemaker)  # type: ignore[call-overload]


def left(darkroom: Running) -> list[str]:
    """The names of all that stands of the endpoint."""
    sagemaker, scaling = simulator(darkroom, "sagemaker"), simulator(darkroom, "application-autoscaling")
    names = [found["EndpointName"] for found in sagemaker.list_endpoints(NameContains=NAME)["Endpoints"]]
    configs = sagemaker.list_endpoint_configs(NameContains=NAME)["EndpointConfigs"]
    names += [found["EndpointConfigName"] for found in configs]
    names += [found["ModelName"] for found in sagemaker.list_models(NameContains=NAME)["Models"]]
    for found in (
        *scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"],
        *scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"],
    ):
        names += [found["ResourceId"]] if NAME in found["ResourceId"] else []
    alarms = darkroom.aws("cloudwatch").describe_alarms(AlarmNamePrefix=NAME)["MetricAlarms"]
    return names + [alarm["AlarmName"] for alarm in alarms]


@pytest.fixture
def life(darkroom: Running) -> Iterator[Running]:
    darkroom.knobs(waking_seconds=1.0, idle_seconds=600)
    yield darkroom
    darkroom.client.request("DELETE", f"/endpoints/{NAME}")
    eventually(lambda: not left(darkroom))


def test_made_scaled_put_to_sleep_woken_by_a_job_and_deleted_without_a_trace(life: Running) -> None:
    made = life.command("endpoints", "create", "life", "--type", "ml.g4dn.xlarge")
    assert made.stdout.splitlines()[-1] == f"{NAME}: InService"
    # Its state event sets the scaling up, without anybody asking.
    eventually(lambda: shown(life)["scaling"])
    assert len(left(life)) == 7
    job = life.client.settled(life.client.submit({**txt2img(), "endpoint": NAME})["id"], 30)
    assert (job["status"], job["instance_type"], job["phase"]) == ("succeed", "ml.g4dn.xlarge", None)
    assert job["run_seconds"]
    assert job["cost"] == pytest.approx(job["run_seconds"] * 0.736 / 3600, abs=1e-6)

    # As the scaler does it; when, and that the job below wakes it, is tested in test_waking.py.
    none = [{"VariantName": "main", "DesiredInstanceCount": 0}]
    simulator(life, "sagemaker").update_endpoint_weights_and_capacities(
        EndpointName=NAME, DesiredWeightsAndCapacities=none
    )
    eventually(lambda: (shown(life)["instances"], shown(life)["status"]) == (0, "InService"))
    life.knobs(waking_seconds=60, idle_seconds=600)
    listed = life.command("endpoints", "list").stdout
    assert f"{NAME}\tInService\t0 (asleep)\t0 to 1\tml.g4dn.xlarge\t0" in listed

    woken = life.client.submit({**txt2img(seed=2), "endpoint": NAME})
    # For some seconds the API may still remember the instance that there was.
    eventually(lambda: life.client.job(woken["id"])["phase"] == "waking")
    asked = life.client.send("GET", f"/jobs/{woken['id']}", params={"wait": 20})
    # The header says that the API did not wait: the endpoint wakes only when this test turns the clock.
    assert (asked.json()["status"], asked.headers["Retry-After"]) == ("in_progress", "15")
    assert "not known yet" in asked.json()["phase_detail"]
    # Another one may come while it wakes: SageMaker calls the endpoint Updating then.
    eventually(lambda: shown(life)["status"] == "Updating")
    second = life.client.submit({**txt2img(seed=3), "endpoint": NAME})
    httpx.post(f"{life.stack.sagemaker}/_simulator/clock", json=60).raise_for_status()
    assert {life.client.settled(waiting["id"], 60)["status"] for waiting in (woken, second)} == {"succeed"}

    scaled = life.command("endpoints", "scale", "life", "--min", "1", "--max", "2").stdout
    assert scaled.startswith(f"{NAME}: 1 to 2 instances")
    # The same again, as a client sends it whose answer was lost, while SageMaker is at work on the first one.
    again = life.client.request("PATCH", f"/endpoints/{NAME}", json={"min_instances": 1, "max_instances": 2})
    assert (again["min_instances"], again["max_instances"]) == (1, 2)
    eventually(lambda: shown(life)["status"] == "InService")
    deleted = life.command("endpoints", "delete", "life", "--yes")
    assert deleted.stdout.splitlines()[-1] == f"Deleted {NAME}."
    eventually(lambda: not left(life))
    assert life.command("endpoints", "delete", "life", "--yes").stdout == "life: gone\n"
    # For some seconds a process of the API may still remember the endpoint.
    eventually(lambda: is_unknown(life))


def is_unknown(life: Running) -> bool:
    """Whether a job for the endpoint is refused because there is none of that name."""
    try:
        life.client.submit({**txt2img(), "endpoint": NAME})
    except Refused as refused:
        return refused.code == "endpoint_unknown"
    return False


def test_scaling_whose_set_up_is_throttled_ends_registered(life: Running) -> None:
    # Each call is tried three times; the second event's try comes after the queue gave the first one back.
    life.knobs(fail_calls={"PutScalingPolicy": 2, "RegisterScalableTarget": 2})
    life.command("endpoints", "create", "life")
    eventually(lambda: shown(life)["scaling"])
    eventually(lambda: len(left(life)) == 7)


def test_scaling_that_somebody_took_away_is_put_back_by_the_sweeper(life: Running) -> None:
    life.command("endpoints", "create", "life")
    eventually(lambda: shown(life)["scaling"])
    simulator(life, "application-autoscaling").deregister_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{NAME}/variant/main",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
    )
    life.aws("cloudwatch").delete_alarms(AlarmNames=[f"{NAME}-wake"])
    assert shown(life)["scaling"] is False
    life.sweep()
    assert shown(life)["scaling"] is True
    assert len(left(life)) == 7


def test_what_waits_on_an_endpoint_that_is_deleted_fails_and_says_so(life: Running) -> None:
    life.command("endpoints", "create", "life")
    life.knobs(latency_seconds=30)
    job = life.client.submit({**txt2img(), "endpoint": "life"})
    assert job["endpoint"] == NAME
    life.client.request("DELETE", "/endpoints/life")
    settled = life.client.settled(job["id"], 10)
    assert settled["status"] == "fail"
    assert settled["error"]
    assert settled["error"]["code"] == "endpoint_deleted"


def test_an_endpoint_whose_configuration_somebody_deleted_takes_jobs_all_the_same(life: Running) -> None:
    # By a name of its own: what an endpoint runs on is kept for as long as the list is.
    name = "darkroom-local-typeless"
    life.command("endpoints", "create", "typeless")
    try:
        sagemaker = simulator(life, "sagemaker")
        (config,) = sagemaker.list_endpoint_configs(NameContains=name)["EndpointConfigs"]
        sagemaker.delete_endpoint_config(EndpointConfigName=config["EndpointConfigName"])
        job = life.client.submit({**txt2img(), "endpoint": name})
        assert (job["instance_type"], life.client.settled(job["id"], 30)["status"]) == (None, "succeed")
        assert life.client.request("GET", f"/endpoints/{name}")["instance_type"] is None
    finally:
        life.command("endpoints", "delete", "typeless", "--yes")


def test_a_container_that_does_not_start_is_told(life: Running) -> None:
    refused = life.command("endpoints", "create", "life", "--image", "worker:fail-create", check=False)
    assert refused.returncode == 1
    assert "did not pass the ping health check" in refused.stderr
    assert shown(life)["failure"]
