"""Application Auto Scaling of endpoints, and the alarm that wakes one from zero
(SageMaker Developer Guide, "Autoscale an asynchronous endpoint")."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from darkroom.aws.endpoints import VARIANT
from darkroom.endpoints.model import Bounds, ScalingState

if TYPE_CHECKING:
    from types_boto3_application_autoscaling import ApplicationAutoScalingClient
    from types_boto3_cloudwatch import CloudWatchClient

BACKLOG_TARGET = 3.0
"""Waiting jobs per instance above which Application Auto Scaling adds an instance."""
OUT_COOLDOWN = 120
IN_COOLDOWN = 300
WAKE_COOLDOWN = 300
WAKE_PERIODS = 1
"""Minutes with a job and no instance before the endpoint is woken."""
_TRACKING = "backlog"
_GROWING = "grow"
_WAKING = "wake"
_WOKEN = (f"policy {_WAKING}", "minimum capacity was set to 1")
_EXACT: Any = "ExactCapacity"
_REMEMBERED = 3
_DESCRIBED_AT_ONCE = 50
_NAMESPACE: Any = "sagemaker"
_DIMENSION: Any = "sagemaker:variant:DesiredInstanceCount"


class AutoScaling:
    """`darkroom.endpoints.ports.Scaling`."""

    def __init__(self, client: "ApplicationAutoScalingClient", cloudwatch: "CloudWatchClient", prefix: str) -> None:
        self._client = client
        self._cloudwatch = cloudwatch
        self._prefix = prefix

    def set_up(self, name: str, bounds: Bounds) -> None:
        """See `Scaling.set_up`: five calls, each of which replaces what was there.

        Target tracking on the backlog per instance adds instances. It takes them away only from an endpoint that never
        sleeps: from the others Darkroom takes them itself (`endpoints/instances.py`), for target tracking would take
        the last one a moment after a job came. That policy has a name of its own. A release before this one does not
        know it, finds no policy of the name it knows, and sets up its own, which takes instances away.

        Without any instance that metric has no
        data, so a step policy wakes the endpoint, on an alarm over `HasBacklogWithoutCapacity`. It sets a number: one
        that adds an instance adds a second one when the first takes longer than the cooldown to start.
        """
        where, sleeps = variant_of(name), bounds.least == 0
        name_of_policy, other = (_GROWING, _TRACKING) if sleeps else (_TRACKING, _GROWING)
        self._client.register_scalable_target(**where, MinCapacity=bounds.least, MaxCapacity=bounds.most)
        self._client.put_scaling_policy(
            **where,
            PolicyName=name_of_policy,
            PolicyType="TargetTrackingScaling",
            TargetTrackingScalingPolicyConfiguration={
                "TargetValue": BACKLOG_TARGET,
                "CustomizedMetricSpecification": {
                    "MetricName": "ApproximateBacklogSizePerInstance",
                    "Namespace": "AWS/SageMaker",
                    "Dimensions": [{"Name": "EndpointName", "Value": name}],
                    "Statistic": "Average",
                },
                "ScaleOutCooldown": OUT_COOLDOWN,
                "ScaleInCooldown": IN_COOLDOWN,
                "DisableScaleIn": sleeps,
            },
        )
        self._if_there(partial(self._client.delete_scaling_policy, **where, PolicyName=other))
        policy = self._client.put_scaling_policy(
            **where,
            PolicyName=_WAKING,
            PolicyType="StepScaling",
            StepScalingPolicyConfiguration={
                "AdjustmentType": _EXACT,
                "MetricAggregationType": "Average",
                "Cooldown": WAKE_COOLDOWN,
                "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}],
            },
        )
        self._cloudwatch.put_metric_alarm(
            AlarmName=_alarm(name),
            AlarmDescription=f"Wakes {name}: jobs wait, and no instance runs",
            MetricName="HasBacklogWithoutCapacity",
            Namespace="AWS/SageMaker",
            Dimensions=[{"Name": "EndpointName", "Value": name}],
            Statistic="Average",
            Period=60,
            EvaluationPeriods=WAKE_PERIODS,
            DatapointsToAlarm=WAKE_PERIODS,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="missing",
            AlarmActions=[policy["PolicyARN"]],
        )

    def set_bounds(self, name: str, bounds: Bounds) -> None:
        """See `Scaling.set_bounds`: one call."""
        where = variant_of(name)
        self._client.register_scalable_target(**where, MinCapacity=bounds.least, MaxCapacity=bounds.most)

    def remove(self, name: str) -> None:
        """See `Scaling.remove`: four calls, and one for the alarm. Application Auto Scaling removes the policies of a
        target with it, but policies without a target would stay."""
        where = variant_of(name)
        for policy in (_TRACKING, _GROWING, _WAKING):
            self._if_there(partial(self._client.delete_scaling_policy, **where, PolicyName=policy))
        self._if_there(partial(self._client.deregister_scalable_target, **where))
        self._cloudwatch.delete_alarms(AlarmNames=[_alarm(name)])

    def states(self) -> dict[str, ScalingState]:
        """See `Scaling.states`: three calls for each page."""
        found: dict[str, ScalingState] = {}
        for target in self._pages("describe_scalable_targets", "ScalableTargets"):
            if name := self._name(target["ResourceId"]):
                found[name] = ScalingState(Bounds(target["MinCapacity"], target["MaxCapacity"]))
        wakers: dict[str, str] = {}
        for policy in self._pages("describe_scaling_policies", "ScalingPolicies"):
            if name := self._name(policy["ResourceId"]):
                known = found.get(name, ScalingState())
                if policy["PolicyName"] == _TRACKING:
                    found[name] = replace(known, tracking=True)
                elif policy["PolicyName"] == _GROWING:
                    found[name] = replace(known, growing=True)
                elif policy["PolicyName"] == _WAKING and _is_exact(policy):
                    found[name] = replace(known, waking=True)
                    wakers[policy["PolicyARN"]] = name
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=self._prefix)
        for alarm in (alarm for page in pages for alarm in page["MetricAlarms"]):
            name = alarm["AlarmName"].removesuffix(_ALARM_SUFFIX)
            if name != alarm["AlarmName"]:
                # An alarm counts only if its action is the waking policy of this endpoint.
                wakes = any(wakers.get(action) == name for action in alarm["AlarmActions"])
                found[name] = replace(found.get(name, ScalingState()), alarm=wakes)
        return found

    def bounds(self, names: list[str]) -> dict[str, Bounds]:
        """See `Scaling.bounds`: one DescribeScalableTargets for each 50 names."""
        found = {}
        for start in range(0, len(names), _DESCRIBED_AT_ONCE):
            ids = [variant_of(name)["ResourceId"] for name in names[start : start + _DESCRIBED_AT_ONCE]]
            for target in self._pages("describe_scalable_targets", "ScalableTargets", ResourceIds=ids):
                if name := self._name(target["ResourceId"]):
                    found[name] = Bounds(target["MinCapacity"], target["MaxCapacity"])
        return found

    def wakeups(self, name: str) -> list[float]:
        """See `Scaling.wakeups`: one DescribeScalingActivities.

        AWS keeps activities for six weeks and names in their cause what brought them about, a policy or a bound that
        was moved (API reference, ScalingActivity). An activity ends when the instance is in service. A number of
        instances that was set directly leaves no activity.
        """
        found = self._client.describe_scaling_activities(
            ServiceNamespace=_NAMESPACE, ResourceId=variant_of(name)["ResourceId"], ScalableDimension=_DIMENSION
        )
        return [
            (activity["EndTime"] - activity["StartTime"]).total_seconds()
            for activity in found["ScalingActivities"]
            if activity["StatusCode"] == "Successful"
            and "EndTime" in activity
            and any(cause in activity.get("Cause", "") for cause in _WOKEN)
        ][:_REMEMBERED]

    def _if_there(self, call: Callable[[], object]) -> None:
        try:
            call()
        except self._client.exceptions.ObjectNotFoundException:
            return

    def _pages(self, operation: str, key: str, **arguments: Any) -> list[Any]:
        paginator: Any = self._client.get_paginator(operation)  # type: ignore[call-overload]
        pages = paginator.paginate(ServiceNamespace=_NAMESPACE, **arguments)
        return [found for page in pages for found in page[key]]

    def _name(self, resource: str) -> str | None:
        _, _, rest = resource.partition("/")
        name, _, variant = rest.partition("/variant/")
        return name if name.startswith(self._prefix) and variant == VARIANT else None


_ALARM_SUFFIX = "-wake"


def _alarm(name: str) -> str:
    """The name of the alarm that wakes an endpoint, made from the endpoint's name, so it need not be stored."""
    return name + _ALARM_SUFFIX


def _is_exact(policy: Any) -> bool:
    """Whether a waking policy is of today. Those of earlier releases added an instance; the sweeper replaces them."""
    return bool(policy.get("StepScalingPolicyConfiguration", {}).get("AdjustmentType") == _EXACT)


def variant_of(name: str) -> Any:
    """The three members that name an endpoint's variant in each call of Application Auto Scaling."""
    return {
        "ServiceNamespace": _NAMESPACE,
        "ResourceId": f"endpoint/{name}/variant/{VARIANT}",
        "ScalableDimension": _DIMENSION,
    }
