"""Instances that come and go with the queue, and the alarm that wakes an endpoint without any."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_sagemaker_autoscaling import STEP, TRACKING, place
from tests.contract.test_sagemaker_process import simulator_process
from tests.contract.test_sagemaker_stage import MINUTE, Endpoint, Stage, Worker, free_port, served

pytest_plugins = ["tests.contract.test_sagemaker_stage"]

IDLE = 10 * MINUTE
KNOBS = {"waking_seconds": MINUTE, "idle_seconds": IDLE}


@pytest.fixture(autouse=True)
def knobs(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs(**KNOBS)


def _scaled(stage: Stage, least: int, most: int, **tracking: Any) -> Endpoint:
    """An endpoint that runs one invocation at once on an instance and tracks a backlog of 2 for each."""
    endpoint = stage.endpoint(at_once=1)
    _track(stage, endpoint.name, least, most, **tracking)
    return endpoint


def _track(stage: Stage, name: str, least: int, most: int, **tracking: Any) -> None:
    stage.autoscaling.register_scalable_target(**place(name), MinCapacity=least, MaxCapacity=most)
    stage.autoscaling.put_scaling_policy(
        **place(name),
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING | tracking,
    )


def _asleep(stage: Stage) -> Endpoint:
    """An endpoint that went down to no instances because nothing came."""
    endpoint = _scaled(stage, 0, 2)
    stage.turn(IDLE)
    stage.turn()
    assert _numbers(endpoint) == ("InService", 0, 0)
    return endpoint


def _numbers(endpoint: Endpoint) -> tuple[str, int, int]:
    """Status, current and desired instances."""
    described = endpoint.stage.sagemaker.describe_endpoint(EndpointName=endpoint.name)
    variant = described["ProductionVariants"][0]
    return described["EndpointStatus"], variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]


def _still_asleep(endpoint: Endpoint) -> bool:
    """That an endpoint has no instance and its work waits: it did not wake in between either."""
    counts = endpoint.stage.queues()["endpoints"][endpoint.name]
    return _numbers(endpoint) == ("InService", 0, 0) and counts == {"waiting": 1, "running": 0, "done": 0}


def _step_policy(endpoint: Endpoint, **configuration: Any) -> str:
    """A policy that brings an endpoint's first instance, as its ARN."""
    put = endpoint.stage.autoscaling.put_scaling_policy(
        **place(endpoint.name),
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration=STEP | configuration,
    )
    return put["PolicyARN"]


def _alarm(endpoint: Endpoint, policy: str, **different: Any) -> None:
    """The alarm that starts a policy when an endpoint has work and no instance."""
    parameters: Any = {
        "AlarmName": f"{endpoint.name}-wake",
        "Namespace": "AWS/SageMaker",
        "MetricName": "HasBacklogWithoutCapacity",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint.name}],
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "AlarmActions": [policy],
    }
    endpoint.stage.cloudwatch.put_metric_alarm(**(parameters | different))


def test_instances_come_one_by_one_while_the_queue_is_long_and_stop_at_the_most(sagemaker_stage: Stage) -> None:
    endpoint = _scaled(sagemaker_stage, 1, 3)
    with sagemaker_stage.worker.holding():
        for _ in range(12):
            endpoint.invoke()
        sagemaker_stage.look()
        assert _numbers(endpoint) == ("Updating", 1, 2)
        sagemaker_stage.turn()
        assert _numbers(endpoint) == ("Updating", 2, 3)
        for _ in range(2):
            sagemaker_stage.turn()
            assert _numbers(endpoint) == ("InService", 3, 3)
    assert len(endpoint.messages(12)) == 12


def test_an_idle_endpoint_shrinks_to_the_least_and_a_busy_one_does_not(sagemaker_stage: Stage) -> None:
    endpoint = _scaled(sagemaker_stage, 1, 3)
    sagemaker_stage.autoscaling.register_scalable_target(**place(endpoint.name), MinCapacity=2)
    sagemaker_stage.turn()
    assert _numbers(endpoint) == ("InService", 2, 2)
    with sagemaker_stage.worker.holding():
        endpoint.invoke()
        sagemaker_stage.autoscaling.register_scalable_target(**place(endpoint.name), MinCapacity=0)
        sagemaker_stage.turn(IDLE)
        assert _numbers(endpoint) == ("InService", 2, 2)
    assert len(endpoint.messages(1)) == 1
    sagemaker_stage.turn(IDLE)
    assert _numbers(endpoint) == ("Updating", 2, 0)
    sagemaker_stage.turn()
    assert _numbers(endpoint) == ("InService", 0, 0)


def test_an_endpoint_made_anew_under_its_old_name_begins_its_idle_time_anew(sagemaker_stage: Stage) -> None:
    old = _scaled(sagemaker_stage, 1, 2)
    sagemaker_stage.turn(IDLE - MINUTE)
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=old.name)
    sagemaker_stage.turn()
    sagemaker_stage.sagemaker.create_endpoint(EndpointName=old.name, EndpointConfigName=old.name)
    sagemaker_stage.turn()
    _track(sagemaker_stage, old.name, 0, 2)
    sagemaker_stage.turn(IDLE - MINUTE)
    assert _numbers(old) == ("InService", 1, 1)
    sagemaker_stage.turn()
    assert _numbers(old) == ("Updating", 1, 0)


def test_an_endpoint_stays_as_it_is_without_a_target_or_when_it_may_not_shrink(sagemaker_stage: Stage) -> None:
    plain, stays = sagemaker_stage.endpoint(), _scaled(sagemaker_stage, 0, 2, DisableScaleIn=True)
    suspended = _scaled(sagemaker_stage, 0, 2)
    sagemaker_stage.autoscaling.register_scalable_target(
        **place(suspended.name), SuspendedState={"DynamicScalingInSuspended": True}
    )
    sagemaker_stage.turn(IDLE)
    assert [_numbers(endpoint) for endpoint in (plain, stays, suspended)] == [("InService", 1, 1)] * 3


def test_work_without_instances_waits_until_an_alarm_starts_the_step_policy(sagemaker_stage: Stage) -> None:
    endpoint = _asleep(sagemaker_stage)
    endpoint.invoke()
    sagemaker_stage.look()
    policy = _step_policy(endpoint)
    sagemaker_stage.look()
    assert _still_asleep(endpoint)
    _alarm(endpoint, policy)
    sagemaker_stage.look()
    assert _numbers(endpoint) == ("Updating", 0, 1)
    endpoint.invoke()
    sagemaker_stage.turn()
    assert [message["invocationStatus"] for message in endpoint.messages(2)] == ["Completed"] * 2
    sagemaker_stage.turn(IDLE)
    sagemaker_stage.turn()
    assert _numbers(endpoint) == ("InService", 0, 0)


@pytest.mark.parametrize(
    "different",
    [
        {"MetricName": "ApproximateBacklogSize"},
        {"Namespace": "Other"},
        {"Dimensions": [{"Name": "EndpointName", "Value": "another"}]},
        {"AlarmActions": ["arn:aws:sns:us-east-1:000000000000:page-me"]},
        {"ActionsEnabled": False},
    ],
    ids=lambda different: next(iter(different)),
)
def test_another_alarm_wakes_nothing(sagemaker_stage: Stage, different: dict[str, Any]) -> None:
    endpoint = _asleep(sagemaker_stage)
    policy = _step_policy(endpoint)
    _alarm(endpoint, policy, **different)
    endpoint.invoke()
    sagemaker_stage.look()
    assert _still_asleep(endpoint)
    _alarm(endpoint, policy)
    sagemaker_stage.look()
    sagemaker_stage.turn()
    assert len(endpoint.messages(1)) == 1


def test_an_alarm_wakes_nothing_when_its_policy_is_gone(sagemaker_stage: Stage) -> None:
    endpoint = _asleep(sagemaker_stage)
    _alarm(endpoint, _step_policy(endpoint))
    sagemaker_stage.autoscaling.delete_scaling_policy(**place(endpoint.name), PolicyName="wake")
    endpoint.invoke()
    sagemaker_stage.look()
    assert _still_asleep(endpoint)


def test_waking_takes_its_time_and_a_step_may_bring_several_but_not_more_than_the_most(
    sagemaker_stage: Stage,
) -> None:
    endpoint = _asleep(sagemaker_stage)
    several = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 9}]
    _alarm(endpoint, _step_policy(endpoint, StepAdjustments=several))
    sagemaker_stage.knobs(**KNOBS | {"waking_seconds": 5 * MINUTE})
    endpoint.invoke()
    sagemaker_stage.look()
    sagemaker_stage.turn(4 * MINUTE)
    assert _numbers(endpoint) == ("Updating", 0, 2)
    sagemaker_stage.turn()
    assert _numbers(endpoint) == ("InService", 2, 2)
    assert len(endpoint.messages(1)) == 1


def test_an_endpoint_that_was_waking_when_the_simulator_was_killed_wakes_after_it_is_back(
    aws_on_this_machine: str, tmp_path: Path
) -> None:
    worker, port = Worker(), free_port()
    stage = Stage(f"http://127.0.0.1:{port}", aws_on_this_machine, worker)
    with served(worker.app()) as worker_url:
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port) as started:
            stage.knobs(**KNOBS)
            endpoint = _asleep(stage)
            _alarm(endpoint, _step_policy(endpoint))
            sent = endpoint.invoke()["InferenceId"]
            stage.look()
            assert _numbers(endpoint) == ("Updating", 0, 1)
            os.kill(started.pid, signal.SIGKILL)
            started.wait(5)
        assert worker.requests == []
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port):
            assert _numbers(endpoint) == ("Updating", 0, 1)
            stage.turn()
            assert endpoint.messages(1)[0]["inferenceId"] == sent
            stage.turn(IDLE)
            stage.turn()
            assert _numbers(endpoint) == ("InService", 0, 0)
    assert len(worker.requests) == 1


def test_the_idle_time_may_be_given_at_the_start_and_a_knob_overrides_it(
    aws_on_this_machine: str, tmp_path: Path
) -> None:
    worker, port = Worker(), free_port()
    stage = Stage(f"http://127.0.0.1:{port}", aws_on_this_machine, worker)
    with (
        served(worker.app()) as url,
        simulator_process(aws_on_this_machine, url, tmp_path, port, "--idle-seconds", str(IDLE)),
    ):
        endpoint = _scaled(stage, 0, 2)
        stage.turn(IDLE)
        assert _numbers(endpoint) == ("Updating", 1, 0)
        stage.knobs(idle_seconds=2 * IDLE)
        awake = _scaled(stage, 0, 2)
        stage.turn(IDLE)
        assert _numbers(awake) == ("InService", 1, 1)
