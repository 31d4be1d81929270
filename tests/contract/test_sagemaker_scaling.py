"""The number of instances follows the queue, and an alarm wakes an endpoint that has no instance."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.contract.autoscaling import STEP, TRACKING, target_of
from tests.contract.serving import free_port, served
from tests.contract.stage import MINUTE, TEST, Endpoint, Stage, Worker, simulator_process

IDLE = 10 * MINUTE
KNOBS = {"waking_seconds": MINUTE, "idle_seconds": IDLE}


@pytest.fixture(autouse=True)
def knobs(sagemaker_stage: Stage) -> None:
    sagemaker_stage.knobs(**KNOBS)


def scaled_endpoint(stage: Stage, minimum: int, maximum: int, **tracking: Any) -> Endpoint:
    """An endpoint that runs one invocation at once on an instance and tracks a backlog of 2 for each."""
    endpoint = stage.endpoint(at_once=1)
    track(stage, endpoint.name, minimum, maximum, **tracking)
    return endpoint


def track(stage: Stage, name: str, minimum: int, maximum: int, **tracking: Any) -> None:
    stage.autoscaling.register_scalable_target(**target_of(name), MinCapacity=minimum, MaxCapacity=maximum)
    stage.autoscaling.put_scaling_policy(
        **target_of(name),
        PolicyName="track",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING | tracking,
    )


def sleeping_endpoint(stage: Stage) -> Endpoint:
    """An endpoint without an instance, after a time without invocations."""
    endpoint = scaled_endpoint(stage, 0, 2)
    stage.turn(IDLE)
    stage.turn()
    assert status_and_instances(endpoint) == ("InService", 0, 0)
    assert endpoint.tests(2) == [TEST, TEST]
    return endpoint


def status_and_instances(endpoint: Endpoint) -> tuple[str, int, int]:
    """Status, current and desired instances."""
    described = endpoint.stage.sagemaker.describe_endpoint(EndpointName=endpoint.name)
    variant = described["ProductionVariants"][0]
    return described["EndpointStatus"], variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]


def is_still_asleep(endpoint: Endpoint) -> bool:
    """True when an endpoint has no instance and its one invocation waits, so it was not awake in between either."""
    counts = endpoint.stage.queues()["endpoints"][endpoint.name]
    return status_and_instances(endpoint) == ("InService", 0, 0) and counts == {"waiting": 1, "running": 0, "done": 0}


def put_step_policy(endpoint: Endpoint, **configuration: Any) -> str:
    """Create a policy that starts an endpoint's first instance; returns its ARN."""
    policy = endpoint.stage.autoscaling.put_scaling_policy(
        **target_of(endpoint.name),
        PolicyName="wake",
        PolicyType="StepScaling",
        StepScalingPolicyConfiguration=STEP | configuration,
    )
    return policy["PolicyARN"]


def put_alarm(endpoint: Endpoint, policy: str, **changes: Any) -> None:
    """Create the alarm that starts a policy when an endpoint has work and no instance, with `changes` to it."""
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
    endpoint.stage.cloudwatch.put_metric_alarm(**(parameters | changes))


def test_instances_start_one_by_one_up_to_the_maximum_while_the_queue_is_long(sagemaker_stage: Stage) -> None:
    endpoint = scaled_endpoint(sagemaker_stage, 1, 3)
    with sagemaker_stage.worker.holding():
        for _ in range(12):
            endpoint.invoke()
        sagemaker_stage.wait_for_check()
        assert status_and_instances(endpoint) == ("Updating", 1, 2)
        sagemaker_stage.turn()
        assert status_and_instances(endpoint) == ("Updating", 2, 3)
        for _ in range(2):
            sagemaker_stage.turn()
            assert status_and_instances(endpoint) == ("InService", 3, 3)
    assert len(endpoint.messages(12)) == 12


def test_an_idle_endpoint_shrinks_to_the_minimum_and_a_busy_one_does_not(sagemaker_stage: Stage) -> None:
    endpoint = scaled_endpoint(sagemaker_stage, 1, 3)
    sagemaker_stage.autoscaling.register_scalable_target(**target_of(endpoint.name), MinCapacity=2)
    sagemaker_stage.turn()
    assert status_and_instances(endpoint) == ("InService", 2, 2)
    with sagemaker_stage.worker.holding():
        endpoint.invoke()
        sagemaker_stage.autoscaling.register_scalable_target(**target_of(endpoint.name), MinCapacity=0)
        sagemaker_stage.turn(IDLE)
        assert status_and_instances(endpoint) == ("InService", 2, 2)
    assert len(endpoint.messages(1)) == 1
    sagemaker_stage.turn(IDLE)
    assert status_and_instances(endpoint) == ("Updating", 2, 0)
    sagemaker_stage.turn()
    assert status_and_instances(endpoint) == ("InService", 0, 0)


def test_an_endpoint_that_is_created_again_starts_its_idle_time_again(sagemaker_stage: Stage) -> None:
    old = scaled_endpoint(sagemaker_stage, 1, 2)
    sagemaker_stage.turn(IDLE - MINUTE)
    sagemaker_stage.sagemaker.delete_endpoint(EndpointName=old.name)
    sagemaker_stage.turn()
    sagemaker_stage.sagemaker.create_endpoint(EndpointName=old.name, EndpointConfigName=old.name)
    sagemaker_stage.turn()
    track(sagemaker_stage, old.name, 0, 2)
    sagemaker_stage.turn(IDLE - MINUTE)
    assert status_and_instances(old) == ("InService", 1, 1)
    sagemaker_stage.turn()
    assert status_and_instances(old) == ("Updating", 1, 0)


def test_an_endpoint_stays_as_it_is_without_a_target_or_when_it_may_not_shrink(sagemaker_stage: Stage) -> None:
    untracked, no_scale_in = sagemaker_stage.endpoint(), scaled_endpoint(sagemaker_stage, 0, 2, DisableScaleIn=True)
    suspended = scaled_endpoint(sagemaker_stage, 0, 2)
    sagemaker_stage.autoscaling.register_scalable_target(
        **target_of(suspended.name), SuspendedState={"DynamicScalingInSuspended": True}
    )
    sagemaker_stage.turn(IDLE)
    assert [status_and_instances(endpoint) for endpoint in (untracked, no_scale_in, suspended)] == [
        ("InService", 1, 1)
    ] * 3


def test_work_without_instances_waits_until_an_alarm_starts_the_step_policy(sagemaker_stage: Stage) -> None:
    endpoint = sleeping_endpoint(sagemaker_stage)
    endpoint.invoke()
    sagemaker_stage.wait_for_check()
    policy = put_step_policy(endpoint)
    sagemaker_stage.wait_for_check()
    assert is_still_asleep(endpoint)
    put_alarm(endpoint, policy)
    sagemaker_stage.wait_for_check()
    assert status_and_instances(endpoint) == ("Updating", 0, 1)
    endpoint.invoke()
    sagemaker_stage.turn()
    assert [message["invocationStatus"] for message in endpoint.messages(2)] == ["Completed"] * 2
    sagemaker_stage.turn(IDLE)
    sagemaker_stage.turn()
    assert status_and_instances(endpoint) == ("InService", 0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"MetricName": "ApproximateBacklogSize"},
        {"Namespace": "Other"},
        {"Dimensions": [{"Name": "EndpointName", "Value": "another"}]},
        {"AlarmActions": ["arn:aws:sns:us-east-1:000000000000:page-me"]},
        {"ActionsEnabled": False},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_alarm_that_differs_wakes_nothing(sagemaker_stage: Stage, changes: dict[str, Any]) -> None:
    endpoint = sleeping_endpoint(sagemaker_stage)
    policy = put_step_policy(endpoint)
    put_alarm(endpoint, policy, **changes)
    endpoint.invoke()
    sagemaker_stage.wait_for_check()
    assert is_still_asleep(endpoint)
    put_alarm(endpoint, policy)
    sagemaker_stage.wait_for_check()
    sagemaker_stage.turn()
    assert len(endpoint.messages(1)) == 1


def test_an_alarm_wakes_nothing_when_its_policy_is_gone(sagemaker_stage: Stage) -> None:
    endpoint = sleeping_endpoint(sagemaker_stage)
    put_alarm(endpoint, put_step_policy(endpoint))
    sagemaker_stage.autoscaling.delete_scaling_policy(**target_of(endpoint.name), PolicyName="wake")
    endpoint.invoke()
    sagemaker_stage.wait_for_check()
    assert is_still_asleep(endpoint)


def test_waking_takes_the_time_of_the_knob_and_a_step_starts_at_most_the_maximum(
    sagemaker_stage: Stage,
) -> None:
    endpoint = sleeping_endpoint(sagemaker_stage)
    nine = [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 9}]
    put_alarm(endpoint, put_step_policy(endpoint, StepAdjustments=nine))
    sagemaker_stage.knobs(**KNOBS | {"waking_seconds": 5 * MINUTE})
    endpoint.invoke()
    sagemaker_stage.wait_for_check()
    sagemaker_stage.turn(4 * MINUTE)
    assert status_and_instances(endpoint) == ("Updating", 0, 2)
    sagemaker_stage.turn()
    assert status_and_instances(endpoint) == ("InService", 2, 2)
    assert len(endpoint.messages(1)) == 1


@pytest.mark.parametrize(("adjustment", "instances"), [("ChangeInCapacity", 2), ("ExactCapacity", 1)])
def test_a_policy_that_adds_an_instance_adds_a_second_one_after_a_slow_start(
    sagemaker_stage: Stage, adjustment: str, instances: int
) -> None:
    """Its alarm is still on when the first one has started, and its cooldown is over by then."""
    endpoint = sleeping_endpoint(sagemaker_stage)
    put_alarm(endpoint, put_step_policy(endpoint, AdjustmentType=adjustment, Cooldown=300))
    sagemaker_stage.knobs(**KNOBS | {"waking_seconds": 6 * MINUTE})
    endpoint.invoke()
    sagemaker_stage.wait_for_check()
    assert status_and_instances(endpoint) == ("Updating", 0, 1)
    sagemaker_stage.turn(6 * MINUTE)
    assert status_and_instances(endpoint)[1:] == (1, instances)
    sagemaker_stage.turn(6 * MINUTE)
    assert status_and_instances(endpoint) == ("InService", instances, instances)


def test_a_policy_does_not_start_again_within_its_cooldown_or_after_its_alarm(sagemaker_stage: Stage) -> None:
    endpoint = sleeping_endpoint(sagemaker_stage)
    put_alarm(endpoint, put_step_policy(endpoint))
    endpoint.invoke()
    sagemaker_stage.wait_for_check()
    for _ in range(7):
        sagemaker_stage.turn()
        assert status_and_instances(endpoint) == ("InService", 1, 1)


def test_an_endpoint_that_was_waking_when_the_simulator_was_killed_wakes_after_a_restart(
    aws_on_this_machine: str, tmp_path: Path
) -> None:
    worker, port = Worker(), free_port()
    stage = Stage(f"http://127.0.0.1:{port}", aws_on_this_machine, worker)
    with served(worker.app()) as worker_url:
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port) as process:
            stage.knobs(**KNOBS)
            endpoint = sleeping_endpoint(stage)
            put_alarm(endpoint, put_step_policy(endpoint))
            invocation = endpoint.invoke()["InferenceId"]
            stage.wait_for_check()
            assert status_and_instances(endpoint) == ("Updating", 0, 1)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(5)
        assert worker.requests == []
        with simulator_process(aws_on_this_machine, worker_url, tmp_path, port):
            assert status_and_instances(endpoint) == ("Updating", 0, 1)
            stage.turn()
            assert endpoint.messages(1)[0]["inferenceId"] == invocation
            stage.turn(IDLE)
            stage.turn()
            assert status_and_instances(endpoint) == ("InService", 0, 0)
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
        endpoint = scaled_endpoint(stage, 0, 2)
        stage.turn(IDLE)
        assert status_and_instances(endpoint) == ("Updating", 1, 0)
        stage.knobs(idle_seconds=2 * IDLE)
        awake = scaled_endpoint(stage, 0, 2)
        stage.turn(IDLE)
        assert status_and_instances(awake) == ("InService", 1, 1)
