"""Application Auto Scaling for the instances of endpoint variants: its targets and its policies.

The error messages are the service's own, as far as public reports show them; those for missing objects and for unknown
values at registration are not. The alarms that target tracking names do not exist in CloudWatch, because the simulator
counts its queue itself. A step policy is listed without its alarms.
"""

import re
from uuid import uuid4

from local.sagemaker.clock import Clock
from local.sagemaker.endpoints import Endpoints
from local.sagemaker.knobs import Chance
from local.sagemaker.listing import paged
from local.sagemaker.protocol import Document, Operation, ServiceError, refused
from local.sagemaker.scalable import ScalableTargets
from local.sagemaker.settings import SimulatorSettings

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
_RESOURCE = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
_CONFIGURATIONS = {
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "StepScaling": "StepScalingPolicyConfiguration",
}


class AutoScaling:
    """The operations on scalable targets and scaling policies; each raises ServiceError."""

    def __init__(
        self, targets: ScalableTargets, endpoints: Endpoints, settings: SimulatorSettings, chance: Chance, clock: Clock
    ) -> None:
        self._targets = targets
        self._endpoints = endpoints
        self._settings = settings
        self._chance = chance
        self._clock = clock

    def operations(self) -> dict[str, Operation]:
        """The operations by the names they have in the protocol."""
        return {
            "RegisterScalableTarget": self._register,
            "DescribeScalableTargets": self._describe_targets,
            "DeregisterScalableTarget": self._deregister,
            "PutScalingPolicy": self._put_policy,
            "DescribeScalingPolicies": self._describe_policies,
            "DeleteScalingPolicy": self._delete_policy,
            "DescribeScalingActivities": self._describe_activities,
        }

    def _register(self, parameters: Document) -> Document:
        """The endpoint of a new target must be InService. Members that are not given keep their values. A number of
        instances outside the bounds is changed to the nearest bound (API reference, RegisterScalableTarget).
        """
        name, variant = _resource(parameters)
        endpoint = self._endpoints.find(name)
        found = [entry for entry in endpoint["ProductionVariants"] if entry["VariantName"] == variant]
        if not found or endpoint["EndpointName"] != name:
            raise refused(f'Could not find variant "{variant}" of endpoint "{endpoint["EndpointArn"]}".')
        before = self._targets.target(parameters["ResourceId"])
        if before is None and endpoint["EndpointStatus"] != "InService":
            raise refused(f'Endpoint "{endpoint["EndpointArn"]}" is {endpoint["EndpointStatus"]}, not InService.')
        given = {key: value for key, value in parameters.items() if key != "Tags"}
        target = (before or self._new_target()) | given
        _check_bounds(target)
        self._targets.put(target)
        before_it = found[0]["DesiredInstanceCount"]
        instances = min(max(before_it, target["MinCapacity"]), target["MaxCapacity"])
        if endpoint["EndpointStatus"] == "InService" and instances != before_it:
            more = instances > before_it
            seconds = self._chance.knobs.waking_seconds if more else self._settings.creating_seconds
            self._endpoints.scale(endpoint, variant, instances, seconds)
            # The words of the examples in the guide of Application Auto Scaling.
            cause = f"{'minimum' if more else 'maximum'} capacity was set to {instances}"
            self._targets.note_change(target, instances, cause, self._clock(), seconds)
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def _new_target(self) -> Document:
        place = f"{self._settings.region}:{self._settings.account}"
        role = (
            "sagemaker.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        )
        return {
            "RoleARN": f"arn:aws:iam::{self._settings.account}:role/aws-service-role/{role}",
            "CreationTime": round(self._clock(), 3),
            "ScalableTargetARN": f"arn:aws:application-autoscaling:{place}:scalable-target/{uuid4().hex}",
        }

    def _describe_targets(self, parameters: Document) -> Document:
        ids = parameters.get("ResourceIds")
        found = [target for target in self._targets.targets() if not ids or target["ResourceId"] in ids]
        page, token = paged(parameters, _of_service(parameters, found), "ResourceId", 50)
        return {"ScalableTargets": page} | ({"NextToken": token} if token else {})

    def _deregister(self, parameters: Document) -> Document:
        _resource(parameters)
        if self._targets.target(parameters["ResourceId"]) is None:
            raise _missing("No scalable target found", parameters)
        self._targets.remove(parameters["ResourceId"])
        return {}

    def _put_policy(self, parameters: Document) -> Document:
        _resource(parameters)
        resource, name = parameters["ResourceId"], parameters["PolicyName"]
        if self._targets.target(resource) is None:
            raise _missing("No scalable target registered", parameters)
        before = self._targets.policy(resource, name)
        kind = parameters.get("PolicyType") or (before or {}).get("PolicyType", "StepScaling")
        _check_policy(kind, parameters)
        kept = before if before and before["PolicyType"] == kind else self._new_policy(resource, name, kind)
        policy = kept | parameters | {"PolicyType": kind}
        self._targets.put_policy(policy)
        return {"PolicyARN": policy["PolicyARN"], "Alarms": policy["Alarms"]}

    def _new_policy(self, resource: str, name: str, kind: str) -> Document:
        place = f"{self._settings.region}:{self._settings.account}"
        arn = f"arn:aws:autoscaling:{place}:scalingPolicy:{uuid4()}:resource/sagemaker/{resource}:policyName/{name}"
        sides = ("AlarmHigh", "AlarmLow") if kind == "TargetTrackingScaling" else ()
        alarms = [f"TargetTracking-{resource}-{side}-{uuid4()}" for side in sides]
        return {
            "PolicyARN": arn,
            "CreationTime": round(self._clock(), 3),
            "Alarms": [
                {"AlarmName": alarm, "AlarmARN": f"arn:aws:cloudwatch:{place}:alarm:{alarm}"} for alarm in alarms
            ],
        }

    def _describe_policies(self, parameters: Document) -> Document:
        names, resource = parameters.get("PolicyNames"), parameters.get("ResourceId")
        found = [
            policy
            for policy in self._targets.policies()
            if (not names or policy["PolicyName"] in names) and resource in (None, policy["ResourceId"])
        ]
        page, token = paged(parameters, _of_service(parameters, found), "PolicyARN", 10)
        return {"ScalingPolicies": page} | ({"NextToken": token} if token else {})

    def _describe_activities(self, parameters: Document) -> Document:
        """Newest first (API reference). An activity in progress has no end yet."""
        now, resource = self._clock(), parameters.get("ResourceId")
        found = [entry for entry in self._targets.activities() if resource in (None, entry["ResourceId"])]
        listed = [entry if entry["EndTime"] <= now else _in_progress(entry) for entry in _of_service(parameters, found)]
        return {"ScalingActivities": listed[: parameters.get("MaxResults", 50)]}

    def _delete_policy(self, parameters: Document) -> Document:
        _resource(parameters)
        policy = self._targets.policy(parameters["ResourceId"], parameters["PolicyName"])
        if policy is None:
            raise _missing("No scaling policy found", parameters, f", policy name: {parameters['PolicyName']}")
        self._targets.remove_policy(policy)
        return {}


def _resource(parameters: Document) -> tuple[str, str]:
    """Endpoint and variant that a call is about."""
    found = _RESOURCE.fullmatch(parameters["ResourceId"])
    if parameters["ServiceNamespace"] != "sagemaker" or parameters["ScalableDimension"] != DIMENSION or not found:
        raise refused("Unsupported service namespace, resource type or scalable dimension")
    return found[1], found[2]


def _of_service(parameters: Document, found: list[Document]) -> list[Document]:
    """`found`, or nothing when the request is for another service or dimension."""
    mine = parameters["ServiceNamespace"] == "sagemaker" and parameters.get("ScalableDimension", DIMENSION) == DIMENSION
    return found if mine else []


def _in_progress(activity: Document) -> Document:
    rest = {name: value for name, value in activity.items() if name not in ("EndTime", "StatusMessage")}
    return rest | {"StatusCode": "InProgress"}


def _missing(what: str, parameters: Document, more: str = "") -> ServiceError:
    place = f"service namespace: sagemaker, resource ID: {parameters['ResourceId']}, scalable dimension: {DIMENSION}"
    return ServiceError("ObjectNotFoundException", f"{what} for {place}{more}")


def _check_bounds(target: Document) -> None:
    if "MinCapacity" not in target or "MaxCapacity" not in target:
        raise refused("MinCapacity and MaxCapacity are required for a new scalable target")
    if target["MinCapacity"] < 0:
        raise refused("Minimum capacity must be at least 0")
    if target["MaxCapacity"] < target["MinCapacity"]:
        raise refused("Maximum capacity cannot be less than minimum capacity")


def _check_policy(kind: str, parameters: Document) -> None:
    if kind not in _CONFIGURATIONS:
        raise refused(f"Policy type {kind} is not supported for this scalable target")
    if [name for name in _CONFIGURATIONS.values() if name in parameters] != [_CONFIGURATIONS[kind]]:
        raise refused(f"A policy of type {kind} takes exactly one configuration: {_CONFIGURATIONS[kind]}")
    tracking = parameters.get("TargetTrackingScalingPolicyConfiguration")
    metrics = ("CustomizedMetricSpecification", "PredefinedMetricSpecification")
    if tracking is not None and len([metric for metric in metrics if metric in tracking]) != 1:
        raise refused(
            "You must provide exactly one of: Predefined Metric Specification, Customized Metric Specification"
        )
