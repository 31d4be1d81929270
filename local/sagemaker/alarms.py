"""The CloudWatch alarms that wake an endpoint without instances.

Without instances there is no metric of the backlog per instance, so target tracking does nothing. SageMaker then
reports HasBacklogWithoutCapacity, and an alarm on it whose action is a step scaling policy brings the first instance
(Developer Guide, "Autoscale an asynchronous endpoint").
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

METRIC = ("AWS/SageMaker", "HasBacklogWithoutCapacity")


def wakers(alarms: "Iterable[MetricAlarmTypeDef]") -> set[tuple[str, str]]:
    """Pairs of the name of an endpoint and the ARN of the policy that one of these alarms triggers for it."""
    return {
        (dimension["Value"], action)
        for alarm in alarms
        if (alarm.get("Namespace"), alarm.get("MetricName")) == METRIC and alarm.get("ActionsEnabled", True)
        for dimension in alarm.get("Dimensions", [])
        if dimension["Name"] == "EndpointName" and len(alarm.get("Dimensions", [])) == 1
        for action in alarm.get("AlarmActions", [])
    }
